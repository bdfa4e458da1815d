"""What the pytest plugin does, imported when it is first needed: `pytest_plugin` stands outside."""
