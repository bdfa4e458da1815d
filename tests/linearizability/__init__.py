"""The judge of concurrent histories."""
