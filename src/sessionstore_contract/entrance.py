"""The entrance of the command: Ctrl-C is told in one line also while all else is being imported."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

from .stopping import INTERRUPTED

if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the command line, which takes most of a second to import on a busy machine."""
    # Ignored, as in the background of a shell, it stays so.
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_ours:
        signal.signal(signal.SIGINT, _leave)
    from .cli import main as command  # noqa: PLC0415 - what the signal may hit

    if is_ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command(prog_name="sessionstore-contract")


def _leave(_: int, __: FrameType | None) -> NoReturn:
    # No exception: importing catches some, and prints others as ignored. Nothing is open yet.
    line = b"sessionstore-contract: interrupted\n"
    try:
        os.write(2, line)
    finally:
        os._exit(INTERRUPTED)
