"""The contract on many versions of everything: each lane in an environment of its own."""
