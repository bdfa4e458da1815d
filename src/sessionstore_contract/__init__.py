"""The contract of async chat session stores, as a pytest plugin and a command.

Names are loaded when they are used: pytest imports this package at every start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .version import CONTRACT_VERSION, __version__

if TYPE_CHECKING:
    from .backend import Backend, Lent
    from .capabilities import Capability
    from .interface import SessionStore
    from .old_layout import OldSession
    from .pytest_door import contract_tests
    from .report.document import Report
    from .runs import check, check_sync
    from .storage import Storage, StorageUnavailableError

_HOMES = {
    "Backend": "backend",
    "Capability": "capabilities",
    "Lent": "backend",
    "OldSession": "old_layout",
    "Report": "report.document",
    "SessionStore": "interface",
    "Storage": "storage",
    "StorageUnavailableError": "storage",
    "check": "runs",
    "check_sync": "runs",
    "contract_tests": "pytest_door",
}

__all__ = [
    "CONTRACT_VERSION",
    "Backend",
    "Capability",
    "Lent",
    "OldSession",
    "Report",
    "SessionStore",
    "Storage",
    "StorageUnavailableError",
    "__version__",
    "check",
    "check_sync",
    "contract_tests",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
