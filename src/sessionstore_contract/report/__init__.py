"""Verdicts as JSON and on the terminal."""
