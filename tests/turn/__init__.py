"""The turn contract: its clauses, and what holds and breaks them."""
