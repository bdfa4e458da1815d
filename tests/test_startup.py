"""What is imported when nothing was asked for yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys

HEAVY = {"hypothesis", "asyncpg", "aiosqlite", "fastapi", "rich"}


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after some code."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return set(json.loads(ended.stdout.splitlines()[-1]))


def test_the_plugin_that_pytest_loads_imports_next_to_nothing() -> None:
    """Every pytest run on the machine pays for it."""
    loaded = loaded_by("import sessionstore_contract.pytest_plugin")
    assert loaded & (HEAVY | {"httpx", "click", "sessionstore_contract.contract"}) == set()
    assert {name for name in loaded if name.startswith("sessionstore_contract.")} == {
        "sessionstore_contract.pytest_plugin",
        "sessionstore_contract.version",
    }


def test_an_authors_test_file_imports_no_framework() -> None:
    """`Backend` and `SessionStore` are plain data and an ABC."""
    loaded = loaded_by("from sessionstore_contract import Backend, SessionStore")
    assert (
        loaded & (HEAVY | {"httpx", "click", "pytest", "sessionstore_contract.contract"}) == set()
    )


def test_listing_the_clauses_imports_no_framework() -> None:
    """A list is there at once."""
    loaded = loaded_by(
        "from sessionstore_contract.cli import main\nmain(['list'], standalone_mode=False)"
    )
    assert "sessionstore_contract.contract" in loaded
    assert loaded & (HEAVY | {"httpx", "pytest"}) == set()
