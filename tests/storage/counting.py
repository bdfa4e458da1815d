"""A platform of a few lines: how often it was asked, kept in a file, or in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    App = Callable[[Any, Any, Any], Awaitable[None]]


def counted(path: Path) -> int:
    with path.open("a+b") as file:
        file.write(b".")
        return file.tell()


def in_a_file(path: str) -> App:
    """Make one that knows after a crash what it knew before."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        count = counted(Path(path))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(count).encode()})

    return app


def that_does_not_start(path: str) -> App:
    """Fail to make one."""
    raise OSError(f"{path} is on the moon")


def that_forgets(path: str) -> Any:
    """Make a platform with its sessions in memory."""
    from reference_backends.platform import create_app

    return create_app()
