"""A server process that counts turns on a store others count on: python -m tests.turn.worker."""

from __future__ import annotations

import asyncio
import sys

from reference_backends import open_sqlite
from reference_backends.accounting import Accounting, Usage


async def main(path: str, writer: str, turns: int) -> None:
    """Count turns, several at once."""
    store = open_sqlite(path)
    counting = Accounting(store, writer=writer, patience=20)
    for _ in range(turns // 5):
        await asyncio.gather(
            *(counting.record("chat", Usage(10, 1, 0), model=writer) for _ in range(5))
        )
    await counting.drain()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
