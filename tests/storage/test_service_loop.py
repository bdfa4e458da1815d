"""The thread on which the kit serves stores."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from sessionstore_contract.storage.service_loop import ServiceLoop


async def look_up_in_the_background(seconds: float) -> None:
    asyncio.get_running_loop().run_in_executor(None, time.sleep, seconds)


def test_closing_waits_for_the_threads_that_look_up_names() -> None:
    """Else whoever counts threads afterwards counts them."""
    before = threading.active_count()
    services = ServiceLoop()
    services.run(look_up_in_the_background(0.2))
    assert threading.active_count() == before + 2
    services.close()
    services.close()
    assert threading.active_count() == before


def test_what_takes_too_long_is_cancelled() -> None:
    """Whoever waits is told, and the thread goes on to serve."""
    services = ServiceLoop()
    cancelled = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        services.run(wait(), timeout=0.05)
    assert cancelled.wait(20)
    assert services.run(asyncio.sleep(0, "served")) == "served"
    services.close()
