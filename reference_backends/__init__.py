"""Stores that hold the contract, and show an author how."""
