"""The drivers of a store, seen in what the modules beside it refer to."""

from __future__ import annotations

import sys
from importlib import metadata
from types import ModuleType

import httpx
import pytest

from sessionstore_contract.drivers import in_use


class Odd:
    """An object that does not like to be asked."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


def test_a_driver_is_seen_as_a_module_and_by_what_comes_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In any module of the package; what is installed and not referred to is not named."""
    named = [f"httpx {metadata.version('httpx')}"]
    for name, value in (("module", httpx), ("taken", httpx.AsyncClient), ("neither", Odd())):
        package, module = ModuleType(f"theirs_{name}"), ModuleType(f"theirs_{name}.deep")
        module.it = value  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, package.__name__, package)
        monkeypatch.setitem(sys.modules, module.__name__, module)

        assert in_use(f"{package.__name__}.stores") == (named if name != "neither" else [])


def test_what_is_not_loaded_has_none() -> None:
    """Neither has a store without a module."""
    assert in_use("no_such_package") == []
    assert in_use("") == []
