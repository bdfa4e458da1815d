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
    from .plugin.door import contract_tests
    from .plugin.turn_door import turn_tests
    from .plugin.wire_door import wire_tests
    from .report.document import Report
    from .runs import check, check_sync
    from .storage import Storage, StorageUnavailableError
    from .turn.system import Accumulator, ChatServer
    from .wire.platform import Platform
    from .wire_runs import check_platform, check_platform_sync

_HOMES = {
    "Accumulator": "turn.system",
    "Backend": "backend",
    "Capability": "capabilities",
    "ChatServer": "turn.system",
    "Lent": "backend",
    "Platform": "wire.platform",
    "OldSession": "old_layout",
    "Report": "report.document",
    "SessionStore": "interface",
    "Storage": "storage",
    "StorageUnavailableError": "storage",
    "check": "runs",
    "check_platform": "wire_runs",
    "check_platform_sync": "wire_runs",
    "check_sync": "runs",
    "contract_tests": "plugin.door",
    "turn_tests": "plugin.turn_door",
    "wire_tests": "plugin.wire_door",
}

__all__ = [
    "CONTRACT_VERSION",
    "Accumulator",
    "Backend",
    "Capability",
    "ChatServer",
    "Lent",
    "OldSession",
    "Platform",
    "Report",
    "SessionStore",
    "Storage",
    "StorageUnavailableError",
    "__version__",
    "check",
    "check_platform",
    "check_platform_sync",
    "check_sync",
    "contract_tests",
    "turn_tests",
    "wire_tests",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
