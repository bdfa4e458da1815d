"""Removing what nobody has used for long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import should
from .access import LONG_AGO
from .client import AT_ONCE, SESSIONS
from .exchange import WORKED, ExchangeFailed
from .expect import expect, expect_unchanged, raise_violation
from .sessions import COSTS, ONE

if TYPE_CHECKING:
    from .client import Ask, Client
    from .exchange import Exchange

GAPS = (0.06, 3.0)
"""Seconds between before and after: platforms that keep whole seconds are seen with the second."""

HOUR = timedelta(hours=1)

MANY = 30
"""Idle sessions that go by one request: past the pages that some services remove."""

FAR_AHEAD = "2999-01-01T00:00:00+00:00"

ONLY_LONG_AGO = (
    "only a cutoff in 1971 was tried, which removes nothing; --disposable, for a platform that "
    "holds nothing anybody needs, tries one that does"
)
CLOCKS_DIFFER = "the platform's clock is not ours: whether it goes by last activity was not seen"


@should(
    "wire.delete-before",
    "`DELETE /v1/sessions?inactive_since=` with an instant (ISO 8601, with UTC offset) removes the "
    "sessions whose last PUT or PATCH is before it, and answers 200 with `deleted`, their number; "
    "without an instant it is refused.",
    because="Chats pile up, and have to go after a time that the law or a contract names. A route "
    "that goes by creation removes the chats that are used most.",
    remedy="`DELETE FROM sessions WHERE updated_at < $1`, with an index on updated_at, which PUT "
    "and PATCH set and GET does not. The parameter is required: a default would erase everything.",
    needs={Capability.RETENTION},
)
async def delete_before(platform: Client) -> None:
    kept = await platform.begin_with(ONE, COSTS)
    found = await expect(platform.delete_before(LONG_AGO)).to_answer(
        200, rather_than={"the platform has no housekeeping": 404}
    )
    _count(found, 0)
    await expect_unchanged(
        platform, kept, "a cutoff in 1971 removes a session of today", ONE, COSTS
    )
    if not platform.is_disposable:
        platform.note(ONLY_LONG_AGO)
        return
    await expect(platform.ask("DELETE", SESSIONS)).to_be_refused("DELETE takes no cutoff for one")
    await expect_unchanged(platform, kept, "DELETE without a cutoff removes a session", ONE, COSTS)
    await expect(platform.delete_before("no-instant")).to_be_refused(
        "DELETE takes a text that is no instant for a cutoff"
    )
    await expect_unchanged(
        platform, kept, "DELETE with a text for a cutoff removes a session", ONE, COSTS
    )
    for gap in GAPS:
        platform.rewind(0)
        if await _goes_by_last_activity(platform, gap):
            await _try_offsets(platform)
            return
    platform.note(CLOCKS_DIFFER)
    platform.rewind(0)
    session = await platform.begin_with(ONE)
    _count(await expect(platform.delete_before(FAR_AHEAD)).to_answer(200), 1)
    await expect(platform.get(session)).to_answer(
        404, rather_than={"DELETE leaves a session that was idle since the cutoff": 200}
    )


async def _goes_by_last_activity(platform: Client, gap: float) -> bool:
    """Answer whether a cutoff in the gap told before from after; then the rest is judged."""
    idle, read, patched, saved = [await platform.begin_with(ONE, COSTS) for _ in range(4)]
    await asyncio.sleep(gap / 2)
    cutoff = datetime.now(UTC).isoformat()
    await asyncio.sleep(gap / 2)
    await platform.patch(patched, COSTS)
    await platform.put(saved, ONE)
    await platform.get(read)
    late = await platform.begin_with(ONE, COSTS)
    found = await expect(platform.delete_before(cutoff)).to_answer(200)
    controls = [(await platform.get(one).perform(is_judged=True)).status for one in (idle, late)]
    if controls != [404, 200]:
        return False
    _count(found, 1)
    for session, what in ((patched, "patched"), (saved, "saved")):
        await expect(platform.get(session)).to_answer(
            200, rather_than={f"DELETE removes a session that was {what} since": 404}
        )
    await expect(platform.get(read)).to_answer(404, rather_than={"a GET counts as activity": 200})
    return True


async def _try_offsets(platform: Client) -> None:
    """Try cutoffs an hour from now, on the clock of a place whose offset makes more of it.

    Two clocks that agree to the second, as was seen before, are far from an hour apart.
    """
    platform.rewind(0)
    session = await platform.begin_with(ONE)
    earlier = (datetime.now(UTC) - HOUR).astimezone(timezone(5 * HOUR))
    await expect(platform.delete_before(earlier.isoformat())).to_answer(200)
    await expect(platform.get(session)).to_answer(
        200, rather_than={"DELETE takes no notice of the offset of a cutoff": 404}
    )
    many = [session, *(platform.new_id() for _ in range(MANY))]
    for made in await _in_parts([platform.put(one, ONE) for one in many]):
        if made.status not in WORKED:
            raise ExchangeFailed(made)
    later = (datetime.now(UTC) + HOUR).astimezone(timezone(-5 * HOUR))
    found = await expect(platform.delete_before(later.isoformat())).to_answer(200)
    looks = await _in_parts([platform.head(one) for one in many])
    left = sum(one.status < 300 for one in looks)
    if 0 < left < len(many):
        raise_violation(found, f"DELETE leaves {left} of {len(many)} idle sessions", "none left")
    await expect(platform.get(session)).to_answer(
        404, rather_than={"DELETE takes a cutoff west of Greenwich for an earlier one": 200}
    )
    _count(found, len(many))


async def _in_parts(asks: list[Ask]) -> list[Exchange]:
    """Ask a few at once, until all are asked."""
    parts = [asks[begin : begin + AT_ONCE] for begin in range(0, len(asks), AT_ONCE)]
    return [
        one
        for part in parts
        for one in await asyncio.gather(
            *(ask.perform(is_judged=False, is_at_once=True) for ask in part)
        )
    ]


def _count(found: Exchange, least: int) -> None:
    deleted = found.member("deleted")
    if type(deleted) is not int or deleted < least:
        raise_violation(
            found, "DELETE does not say how many sessions it removed", f"deleted, {least} at least"
        )
