"""The names of columns tell runs apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sessionstore_contract.report.columns import names
from sessionstore_contract.report.record import BackendRecord

from .findings import backend, record_of


def column(
    name: str = "sqlite", server: str | None = "SQLite 3.45.1", **head: Any
) -> BackendRecord:
    run = record_of(backend(name=name, server=server))
    plain = {"python": "3.13.0", "platform": "Linux", **head}
    (found,) = run.backends
    return replace(found, head=replace(run.head, **plain))


def test_one_of_a_name_needs_no_more() -> None:
    """Whatever server and Python it has."""
    assert names([column("sqlite"), column("postgres", "PostgreSQL 18.4")]) == [
        "sqlite",
        "postgres",
    ]


def test_what_differs_stands_beside_the_name() -> None:
    """The server's version, the Python, or both; what all have is not repeated."""
    newer = "SQLite 3.50.0"
    assert names([column(), column(server=newer)]) == [
        "sqlite, SQLite 3.45.1",
        "sqlite, SQLite 3.50.0",
    ]
    assert names([column(), column(python="3.11.7")]) == [
        "sqlite, Python 3.13.0",
        "sqlite, Python 3.11.7",
    ]
    assert names([column(), column(server=newer), column(server=None, python="3.11.7")]) == [
        "sqlite, SQLite 3.45.1, Python 3.13.0",
        "sqlite, SQLite 3.50.0, Python 3.13.0",
        "sqlite, no server, Python 3.11.7",
    ]


def test_a_driver_tells_runs_apart_as_well() -> None:
    """Where reports name it."""
    one = column()
    other = replace(one, subject=replace(one.subject, drivers=("aiosqlite 0.22.1",)))
    assert names([one, other]) == ["sqlite, no driver", "sqlite, aiosqlite 0.22.1"]


def test_more_is_added_until_all_differ() -> None:
    """Only to those that are still called the same."""
    assert names([column(), column(platform="Darwin"), column(python="3.11.7")]) == [
        "sqlite, Python 3.13.0, Linux",
        "sqlite, Python 3.13.0, Darwin",
        "sqlite, Python 3.11.7",
    ]


def test_what_differs_in_nothing_is_numbered() -> None:
    """No name is given twice, also when another backend has the number for a name."""
    assert names([column(), column("sqlite (1)"), column()]) == [
        "sqlite (2)",
        "sqlite (1)",
        "sqlite (3)",
    ]


def test_a_hostile_name_is_cut_and_escaped() -> None:
    """It is a heading, and no more."""
    (name,) = names([column("\x1b[31m\u202e" + "x" * 10_000_000)])
    assert name.startswith(r"\x1b[31m\u202e")
    assert len(name) < 120
    assert names([column("")]) == ["(no name)"]
