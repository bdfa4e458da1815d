"""What a store's operations cost next to the bare driver doing the same statements."""
