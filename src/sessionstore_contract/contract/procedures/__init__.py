"""What the procedures of clauses are made of, where it is long or several clauses have it."""
