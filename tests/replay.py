"""A printed counterexample, pasted into an asynchronous function and run on a store."""

from __future__ import annotations

import asyncio
import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class _Late:
    """Opens its store at the first use: an instance of the middle is not there before."""

    def __init__(self, opener: Callable[[], Any]) -> None:
        self._opener = opener
        self._store: Any = None

    def __getattr__(self, operation: str) -> Any:
        if self._store is None:
            self._store = self._opener()
        return getattr(self._store, operation)


def replay(program: Iterable[str], opener: Callable[[], Any]) -> None:
    """Run a program; raises what it raises."""
    source = "\n".join(program)
    names = sorted(set(re.findall(r"await (\w+)\.", source)))
    body = textwrap.indent(source, "    ")
    defined: dict[str, Any] = {}
    exec(f"async def test({', '.join(names)}):\n{body}\n", defined)
    asyncio.run(defined["test"](*(_Late(opener) for _ in names)))
