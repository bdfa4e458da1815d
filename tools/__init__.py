"""Programs that belong to the project and not to what is installed."""
