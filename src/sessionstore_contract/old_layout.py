"""Places as an earlier release left them: the reference layout, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import built_upon, tables
from .clause import OldPlace
from .tables import kind_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .interface import Json


@dataclass(frozen=True)
class OldSession:
    """A session as an earlier release has left it: without cost data."""

    session_id: str
    messages: list[Json]
    last_activity: datetime
    """When it was last written, with its offset from UTC."""


SESSION = "old-session"
"""The id of the session that most is asked of."""

MESSAGES = [{"role": "user", "content": "from before"}]
CREATED = datetime(2024, 3, 1, 12, 30, tzinfo=UTC)
CUTOFF = datetime(2024, 9, 1, tzinfo=UTC)
"""Between the last activities of the sessions: two lie before it, one after."""
RECENT = "old-recent"
RECENT_MESSAGES = [
    {"role": "user", "content": "later"},
    {
        "role": "assistant",
        "content": "ja, später \N{WHITE HEAVY CHECK MARK}",
        "score": 0.1234567,
        "usage": {"in": 12, "out": 3},
    },
]

OLD_SESSIONS = (
    OldSession(SESSION, MESSAGES, CREATED),
    OldSession("old-empty", [], CREATED),
    OldSession(RECENT, RECENT_MESSAGES, datetime(2025, 2, 3, 4, 5, 6, 789, tzinfo=UTC)),
)
"""What every old place holds."""

FOREIGN = {"tenant": "acme", "serial": 7}
"""Columns that somebody else added, and what they hold."""
NOTE = "somebody else's"

FIRST_COLUMNS = ("session_id", "messages", "created_at", "updated_at")
COLUMNS = {
    "sqlite": "session_id TEXT PRIMARY KEY, messages TEXT, created_at TEXT, updated_at TEXT",
    "postgres": "session_id TEXT PRIMARY KEY, messages JSONB, created_at TIMESTAMPTZ, "
    "updated_at TIMESTAMPTZ",
}
COST_DATA = {"sqlite": "cost_data TEXT", "postgres": "cost_data JSONB"}

FOREIGN_TABLE = (
    "CREATE TABLE sessions (id INTEGER PRIMARY KEY, token TEXT NOT NULL, expires_at TEXT)",
    "INSERT INTO sessions VALUES (1, 'a web framework''s', '2031-01-01')",
)
"""Makes a table of the name that has nothing to do with chats."""

_LATER_COLUMNS = (
    "ALTER TABLE sessions ADD COLUMN title TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE attachments (session_id TEXT, body TEXT)",
)
LATER_RELEASE = {
    "sqlite": (*_LATER_COLUMNS, "PRAGMA user_version = 1000"),
    "postgres": (*_LATER_COLUMNS, "COMMENT ON TABLE sessions IS 'layout 1000'"),
}
"""Makes a current place one of a later release."""

PUT = {
    "sqlite": "INSERT INTO sessions (session_id, messages, created_at, updated_at) "
    "VALUES (?, ?, ?, ?) ON CONFLICT (session_id) DO UPDATE SET messages = excluded.messages",
    "postgres": "INSERT INTO sessions (session_id, messages, created_at, updated_at) "
    "VALUES ($1, $2, $3, $4) ON CONFLICT (session_id) DO UPDATE SET messages = excluded.messages",
}
"""How the earlier release writes a session."""


async def fill(
    place: str, sessions: Sequence[OldSession] = OLD_SESSIONS, *, has_cost_data: bool = False
) -> None:
    """Make the table with these sessions, and beside it what somebody else has made there.

    Without `has_cost_data` it is the layout before cost data; with it the column is there and
    NULL.
    """
    kind = kind_of(place)
    columns = COLUMNS[kind] + (f", {COST_DATA[kind]}" if has_cost_data else "")
    note = NOTE.replace("'", "''")
    await tables.execute(
        place,
        f"CREATE TABLE sessions ({columns}, tenant TEXT, serial INTEGER)",
        "CREATE INDEX sessions_of_tenant ON sessions (tenant)",
        "CREATE TABLE notes (text TEXT)",
        f"INSERT INTO notes VALUES ('{note}')",  # noqa: S608 - our own text
        *(_putting(kind, session) for session in sessions),
        "UPDATE sessions SET tenant = 'acme', serial = 7",
    )


async def put(place: str, session: OldSession) -> None:
    """Write a session as the earlier release does, also into a place that was migrated since."""
    await tables.execute(place, _putting(kind_of(place), session))


def _putting(kind: tables.Kind, session: OldSession) -> tuple[Any, ...]:
    times: tuple[Any, ...] = (CREATED, session.last_activity)
    if kind == "sqlite":
        times = tuple(time.isoformat() for time in times)
    return PUT[kind], session.session_id, json.dumps(session.messages), *times


async def messages_of(place: str, session_id: str) -> Json:
    """Read the messages of a session as the earlier release does; None when it is missing."""
    argument = {"sqlite": "?", "postgres": "$1"}[kind_of(place)]
    query = f"SELECT messages FROM sessions WHERE session_id = {argument}"  # noqa: S608 - our own names
    rows = await tables.fetch(place, query, session_id)
    return json.loads(rows[0][0]) if rows else None


def filler(
    legacy: Callable[[str, Sequence[OldSession]], Any] | str | None, old_place: OldPlace
) -> Callable[[str], Awaitable[Any] | None]:
    """Answer what leaves a place behind as others would have: by rule the earlier release."""
    if old_place is OldPlace.FOREIGN_TABLE:
        return lambda place: tables.execute(place, *FOREIGN_TABLE)
    if old_place is OldPlace.BUILT_UPON:
        return _fill_and_build_upon
    if callable(legacy):
        return lambda place: legacy(place, OLD_SESSIONS)
    return lambda place: fill(place, has_cost_data=old_place is OldPlace.COST_DATA_NULL)


async def _fill_and_build_upon(place: str) -> None:
    await fill(place)
    await tables.execute(place, *built_upon.statements(kind_of(place)))


async def look(place: str) -> dict[str, Any] | None:
    """Read what is not the store's of the old session, not through a store; None when it is gone.

    A column that is gone is not in the answer.
    """
    there = await tables.columns(place, "sessions")
    asked = [one for one in there if one in {*FOREIGN, "created_at"}]
    query = f"SELECT {', '.join(asked) or 1} FROM sessions WHERE session_id = '{SESSION}'"  # noqa: S608 - our own names
    rows = await tables.fetch(place, query)
    if not rows:
        return None
    found = dict(zip(asked, rows[0], strict=False))
    when = found.get("created_at")
    if when:
        moment = datetime.fromisoformat(when) if isinstance(when, str) else when
        found["created_at"] = moment.astimezone(UTC).isoformat()
    return found


async def look_beside(place: str) -> dict[str, Any]:
    """Read what else somebody has made at an old place: a table with a row, and an index."""
    names = await tables.names(place)
    return {
        "notes": await tables.fetch(place, "SELECT text FROM notes") if "notes" in names else None,
        "index": "sessions_of_tenant" in names,
    }


def untouched() -> dict[str, Any]:
    """Answer what `look` answers while nobody has changed the row."""
    return {**FOREIGN, "created_at": CREATED.isoformat()}


def untouched_beside() -> dict[str, Any]:
    """Answer what `look_beside` answers while nobody has changed it."""
    return {"notes": [[NOTE]], "index": True}
