"""What the kit's tests share: pytest run inside a test, and properties that are not timed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in what a shell script puts into the background. A process that ignores it hands that on,
    # and no test could ask another one to stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["pytester"]

hypothesis.settings.register_profile("kit", deadline=None)
hypothesis.settings.load_profile("kit")


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Undo what a command that runs in this process does to signals: its end is not ours."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
