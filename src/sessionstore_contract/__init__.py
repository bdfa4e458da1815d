"""The contract of async chat session stores."""
