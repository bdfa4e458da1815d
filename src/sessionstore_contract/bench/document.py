"""What was measured, as JSON."""

from __future__ import annotations

import platform
import sqlite3
from importlib import metadata
from typing import TYPE_CHECKING, Any

from ..version import __version__

if TYPE_CHECKING:
    from .bench import Plan, TargetResult
    from .contest import Result
    from .long_history import LongHistory

SCHEMA = 1
PACKAGES = ("aiosqlite", "asyncpg", "fastapi", "httptools", "httpx", "uvicorn")


def document(plan: Plan, results: list[TargetResult]) -> dict[str, Any]:
    """Answer the whole of a benchmark; times are microseconds for one call."""
    return {
        "schema": SCHEMA,
        "kit": {"version": __version__},
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "sqlite": sqlite3.sqlite_version,
            "packages": {name: found for name in PACKAGES if (found := _version(name))},
        },
        "seed": plan.seed,
        "rounds": plan.extent.rounds,
        "one_processor": plan.extent.is_on_one_processor,
        "targets": [
            {
                "name": result.entrant.store.name,
                "target": result.entrant.target,
                "storage": result.entrant.backend.storage_name,
                "server": result.server,
                "rival": result.entrant.rival.name,
                "cells": [_cell(one) for one in result.results],
                "long_history": _long(result.long_history),
            }
            for result in results
        ],
    }


def _cell(result: Result) -> dict[str, Any]:
    cell = result.cell
    found: dict[str, Any] = {
        "operation": cell.operation,
        "messages": cell.messages,
        "callers": cell.callers,
    }
    if result.figures is None:
        return {**found, "reason": result.reason}
    return {
        **found,
        "calls": result.figures.calls,
        "microseconds": result.figures.own.times(1e6).rounded(1),
        "rival_microseconds": result.figures.rival.times(1e6).rounded(1),
        "throughput_ratio": result.figures.ratio.rounded(3),
    }


def _long(found: LongHistory | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "megabytes": round(found.megabytes, 2),
        "slowdown": {name: spread.rounded(2) for name, spread in found.slowdown.items()},
        "peak_memory_in_history_sizes": {
            name: round(peak, 2) for name, peak in found.peaks.items()
        },
        "longest_stall_ms": {name: spread.rounded(2) for name, spread in found.stalls.items()},
        "longest_busy_ms": {name: spread.rounded(2) for name, spread in found.busy.items()},
        "growth_bytes": found.growth_bytes,
        "growth_operations": found.growth_operations,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
