"""The lanes: which Python, which packages, which database, and what is tried there."""

from __future__ import annotations

import json
from dataclasses import dataclass

ALL = ("null", "memory", "sqlite", "postgres", "http")


@dataclass(frozen=True)
class Lane:
    """One environment, and what is tried in it."""

    name: str
    python: str
    says: str
    """What it is there for, in a few words: a row's heading."""
    packages: str = "constraints"
    """`constraints`: as constraints.txt has them; `oldest`: what pyproject.toml allows at the
    least; `newest`: whatever is there today."""
    pins: tuple[str, ...] = ()
    """Packages whose versions this lane sets itself."""
    extras: str = "all"
    """Those of the kit that are installed."""
    adding: tuple[str, ...] = ()
    """Packages besides the kit's."""
    targets: tuple[str, ...] = ALL
    postgres: str = "embedded"
    """As `--postgres` takes it, or `wheel`: the server in the wheel `pgserver`."""
    sqlite: str = "python"
    """`wheel`: the SQLite in the wheel `pysqlite3-binary` takes the place of Python's own."""


LANES = (
    Lane("python-3.11", "3.11", "Python 3.11"),
    Lane("python-3.12", "3.12", "Python 3.12"),
    Lane("python-3.13", "3.13", "Python 3.13"),
    Lane("python-3.14", "3.14", "Python 3.14"),
    # There is no server in a wheel for it: one in a container is tried from it below.
    Lane("python-3.15", "3.15", "Python 3.15", targets=("null", "memory", "sqlite", "http")),
    Lane("oldest", "3.11", "the oldest packages", packages="oldest"),
    Lane("newest", "3.14", "the newest packages", packages="newest"),
    Lane(
        "without-fast",
        "3.12",
        "without the extra fast",
        extras="sqlite,postgres,platform,asyncio",
        targets=("sqlite", "postgres", "http"),
    ),
    Lane("pytest-8.4", "3.12", "pytest 8.4", pins=("pytest==8.4.*",), targets=("sqlite",)),
    Lane(
        "postgresql-15",
        "3.11",
        "PostgreSQL 15",
        targets=("postgres",),
        postgres="container:postgres:15",
    ),
    Lane(
        "postgresql-16",
        "3.12",
        "PostgreSQL 16",
        adding=("pgserver",),
        targets=("postgres",),
        postgres="wheel",
    ),
    Lane(
        "postgresql-17",
        "3.15",
        "PostgreSQL 17",
        targets=("postgres",),
        postgres="container:postgres:17",
    ),
    Lane(
        "sqlite-newest",
        "3.12",
        "the newest SQLite",
        adding=("pysqlite3-binary",),
        targets=("sqlite",),
        sqlite="wheel",
    ),
)


def named(names: list[str]) -> tuple[Lane, ...]:
    """Answer the lanes of these names, or all of them.

    Raises:
        KeyError: there is no lane of one of the names.
    """
    by_name = {lane.name: lane for lane in LANES}
    return tuple(by_name[name] for name in names) if names else LANES


def main() -> None:
    """Print names and Pythons as JSON, for a workflow that gives each lane a machine."""
    print(json.dumps([{"name": lane.name, "python": lane.python} for lane in LANES]))


if __name__ == "__main__":
    main()
