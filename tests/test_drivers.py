"""The drivers of a store, seen in what its opener refers to."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any

import aiosqlite
import asyncpg
import httpx
import pytest

import reference_backends
from sessionstore_contract.drivers import in_use

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HTTPX = [f"httpx {metadata.version('httpx')}"]
ASYNCPG = [f"asyncpg {metadata.version('asyncpg')}"]

FILES = {
    "__init__": "from theirs.by_http import Store as Http\nfrom theirs.lazy import Store as Lazy\n",
    "transport": "import httpx\n",
    "taken": "from httpx import AsyncClient\n",
    "by_http": "from theirs import transport\n\nclass Store:\n    client = transport\n",
    "by_class": "from theirs import taken\n\nclass Store:\n    client = taken\n",
    "lazy": "class Store:\n    async def load(self):\n        import asyncpg\n",
    "both": (
        "class First:\n    async def load(self):\n        from httpx import AsyncClient\n\n"
        "class Second(First):\n    async def save(self):\n        import asyncpg\n\n"
        "class Third:\n    kept = property(lambda self: helper())\n\n"
        "class Fourth:\n    @classmethod\n    def open(cls):\n        return helper()\n\n"
        "def helper():\n    import asyncpg\n"
    ),
    "long": (
        "class Store:\n    def load(self):\n"
        + "".join(f"        self.n{number} = {number + 0.5}\n" for number in range(300))
        + "        from httpx import AsyncClient\n"
    ),
    "odd": (
        "class Odd:\n    def __getattribute__(self, name):\n        raise RuntimeError(name)\n\n"
        "odd = Odd()\n\nclass Store:\n    pass\n"
    ),
    "openers": (
        "def relative(place):\n    from .by_http import Store\n    return Store()\n\n"
        "def sibling(place):\n    from . import lazy\n    return lazy.Store()\n"
    ),
}


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package with stores by several drivers, all of it loaded."""
    (tmp_path / "theirs").mkdir()
    for name, text in FILES.items():
        (tmp_path / "theirs" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    package = importlib.import_module("theirs")
    for name in FILES.keys() - {"__init__"}:
        importlib.import_module(f"theirs.{name}")
    yield package
    for name in [one for one in sys.modules if one.partition(".")[0] == "theirs"]:
        del sys.modules[name]


def test_a_store_has_the_drivers_of_its_module_and_of_those_beside_it(theirs: Any) -> None:
    """As a module, by what comes from it, or imported where it is used; of others none."""
    assert in_use(theirs.by_http.Store) == HTTPX
    assert in_use(theirs.by_class.Store) == HTTPX
    assert in_use(theirs.lazy.Store) == ASYNCPG
    assert in_use(theirs.odd.Store) == []
    # Its names and constants have numbers of two bytes.
    assert in_use(theirs.long.Store) == HTTPX


def test_no_run_ends_of_what_an_opener_refers_to() -> None:
    """A function that wraps itself has no end; others may raise whatever is asked."""

    def endless(place: str) -> object:
        return place

    endless.__wrapped__ = endless  # type: ignore[attr-defined]
    assert in_use(endless) == []


def test_of_several_stores_in_a_module_each_has_its_own(theirs: Any) -> None:
    """And those of the ones that it is made of, and of the functions that it calls."""
    assert in_use(theirs.both.First) == HTTPX
    assert in_use(theirs.both.Second) == [*ASYNCPG, *HTTPX]
    assert in_use(theirs.both.Third) == ASYNCPG
    assert in_use(theirs.both.Fourth) == in_use(theirs.both.Fourth.open) == ASYNCPG


def test_a_function_has_the_drivers_of_what_its_code_names(theirs: Any) -> None:
    """Not those of what else is in its module, which tries several stores."""

    def by_http(place: str) -> object:
        return theirs.by_http.Store(place)

    assert in_use(_opens_http) == HTTPX
    assert in_use(_calls_another) == [f"aiosqlite {metadata.version('aiosqlite')}"]
    assert in_use(partial(_opens_http, "place")) == HTTPX
    assert in_use(theirs.openers.relative) == HTTPX
    assert in_use(theirs.openers.sibling) == ASYNCPG
    assert in_use(by_http) == HTTPX


def test_each_reference_backend_has_its_own(theirs: Any) -> None:
    """Although all of them are loaded, as in a pytest process."""
    for name in ("null", "memory", "sqlite", "postgres", "http", "http_engine"):
        importlib.import_module(f"reference_backends.{name}")
    drivers = {
        one.name: [driver.partition(" ")[0] for driver in in_use(one.open)]
        for one in (
            *(reference_backends.NULL, reference_backends.MEMORY, reference_backends.SQLITE),
            *(reference_backends.POSTGRES, reference_backends.HTTP),
        )
    }

    assert drivers == {
        "null": [],
        "memory": [],
        "sqlite": ["aiosqlite"],
        "postgres": ["asyncpg"],
        "http": ["aiohttp", "httpx"],
    }


def test_an_opener_without_a_module_has_none() -> None:
    """Neither has one that the standard library brings."""
    assert in_use(partial(dict)) == []
    assert in_use(lambda place: place) == []


def _opens_http(place: str) -> object:
    return httpx.AsyncClient(base_url=place)


def _opens_postgres(place: str) -> object:
    return asyncpg.connect(place)


def _calls_another(place: str) -> object:
    return _opens_sqlite(place)


def _opens_sqlite(place: str) -> object:
    return aiosqlite.connect(place)
