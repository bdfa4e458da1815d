"""A read that is asked for again by the ETag that it had, when it is another by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .expect import raise_violation

if TYPE_CHECKING:
    from .client import Ask, Client


async def demand_another_etag(platform: Client, read: Ask, change: Ask, headline: str) -> None:
    """Demand that nobody who has what was read is told that it still stands after a change."""
    etag = (await read).headers.get("etag", "")
    await change
    if etag and etag.isascii():
        again = platform.ask("GET", read.request.path, if_none_match=etag)
        found = await again.perform(is_judged=True)
        if found.status == 304:
            raise_violation(found, headline, "200, and what is there now")
