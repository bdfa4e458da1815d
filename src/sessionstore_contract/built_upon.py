"""What others have built on the table of an earlier release, and whether it works still."""

from __future__ import annotations

import json
from typing import Any

from . import tables
from .tables import kind_of

MANY = 1_100
"""Rows: more than a page of a thousand."""

LONG, SHORT = "old-many-5", "old-many-6"
"""Of the rows one with a history of more than 128 KiB, and one without any."""

_INTO = "INSERT INTO sessions (session_id, messages, created_at, updated_at) "
_WHEN = "'2024-03-01T12:30:00+00:00'"
_TIMES = {"sqlite": f"{_WHEN}, {_WHEN}", "postgres": f"TIMESTAMPTZ {_WHEN}, TIMESTAMPTZ {_WHEN}"}
_NOTHING = "CAST(NULL AS TEXT)"
_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "WHERE i < {}) SELECT i FROM n",
    "postgres": "SELECT generate_series(1, {}) AS i",
}
_NO_HISTORY = {"sqlite": '[{"role": "us', "postgres": '"no history"'}
"""What a table takes and no store can read as messages."""

_ODD = "('old-undated', 'old-unreadable', 'OLD-MANY-1', 'old-many-2 ')"
"""The ids of rows that a store need not make anything of, and that are not its to remove."""
_ODD_COUNT = 4

_COLUMN = (
    "ALTER TABLE sessions ADD COLUMN region TEXT NOT NULL DEFAULT 'eu' "
    "CONSTRAINT a_region CHECK (region <> '')"
)
_VIEW = (
    "CREATE VIEW sessions_of_tenants AS SELECT tenant, count(*) AS n FROM sessions GROUP BY tenant"
)
_TRIGGER = {
    "sqlite": "CREATE TRIGGER sessions_numbered AFTER UPDATE OF serial ON sessions BEGIN "
    "INSERT INTO notes VALUES ('numbered ' || new.session_id); END",
    "postgres": "CREATE TRIGGER sessions_numbered AFTER UPDATE OF serial ON sessions "
    "FOR EACH ROW EXECUTE FUNCTION note_number()",
}
_FUNCTION = (
    "CREATE FUNCTION note_number() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN INSERT INTO notes VALUES ('numbered ' || new.session_id); RETURN NULL; END $$"
)
_HISTORY = json.dumps([{"role": "user", "content": "long " * 30_000}])
_LENGTHEN = f"UPDATE sessions SET messages = '{_HISTORY}' WHERE session_id = '{LONG}'"  # noqa: S608 - our own text
_WRITTEN = "CREATE TABLE written (session_id TEXT)"
_ON_WRITING = {
    "sqlite": "CREATE TRIGGER sessions_written AFTER UPDATE ON sessions BEGIN "
    "INSERT INTO written VALUES (new.session_id); END",
    "postgres": "CREATE TRIGGER sessions_written AFTER UPDATE ON sessions "
    "FOR EACH ROW EXECUTE FUNCTION note_writing()",
}
_FUNCTION_ON_WRITING = (
    "CREATE FUNCTION note_writing() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN INSERT INTO written VALUES (new.session_id); RETURN NULL; END $$"
)
_OTHER_SCHEMA = "contract_elsewhere"
# Not where a place is a schema of a database, nor where the role may make none.
_IN_A_DATABASE = (
    "DO $$ BEGIN IF current_schema() = 'public' THEN {} END IF; "
    "EXCEPTION WHEN insufficient_privilege THEN NULL; END $$"
)
_ELSEWHERE = _IN_A_DATABASE.format(
    f"CREATE SCHEMA {_OTHER_SCHEMA}; CREATE TABLE {_OTHER_SCHEMA}.sessions (session_id TEXT, "
    "messages JSONB, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, cost_data JSONB);"
)
_NOT_ELSEWHERE = _IN_A_DATABASE.format(f"DROP SCHEMA IF EXISTS {_OTHER_SCHEMA} CASCADE;")


def statements(kind: tables.Kind) -> list[str]:
    """Answer what builds on the table of an earlier release; no column of a store's is asked of."""
    times, numbers, cut = _TIMES[kind], _NUMBERS[kind].format(MANY), _NO_HISTORY[kind]
    odd = (
        f"('old-undated', '[]', NULL, NULL), ('old-unreadable', '{cut}', {times}), "
        f"('OLD-MANY-1', '[]', {times}), ('old-many-2 ', '[]', {times})"
    )
    return [
        _COLUMN,
        _VIEW,
        *((_FUNCTION, _FUNCTION_ON_WRITING, _ELSEWHERE) if kind == "postgres" else ()),
        _TRIGGER[kind],
        f"{_INTO} SELECT 'old-many-' || i, '[]', {times} FROM ({numbers}) AS numbers",  # noqa: S608 - our own names
        f"{_INTO} VALUES {odd}",
        _LENGTHEN,
        _WRITTEN,
        _ON_WRITING[kind],
    ]


async def written(place: str) -> list[int]:
    """Answer how many updates a trigger has seen of the short row, and of the long one."""
    count = "(SELECT count(*) FROM written WHERE session_id = '{}')"
    query = f"SELECT {count.format(SHORT)}, {count.format(LONG)}"
    (row,) = await tables.fetch(place, query)
    return [int(one) for one in row]


async def remove_odd_rows(place: str) -> None:
    """Leave no row that a store of the layout could not have written."""
    await tables.execute(place, f"DELETE FROM sessions WHERE session_id IN {_ODD}")  # noqa: S608 - our own names


async def try_out(place: str) -> dict[str, Any]:
    """Use what was built on the table, and answer what became of it; what is gone is None.

    Of the other schema nothing is left: a database that is made empty again is empty then.
    """
    kind = kind_of(place)
    await tables.execute(
        place,
        *([_NOT_ELSEWHERE] if kind == "postgres" else []),
        "UPDATE sessions SET serial = 8 WHERE session_id = 'old-many-3'",
        f"{_INTO} VALUES ('old-many-0', '[]', {_TIMES[kind]})",
    )
    has_view = "sessions_of_tenants" in await tables.names(place)
    has_region = "region" in await tables.columns(place, "sessions")
    view = "count(*) FROM sessions_of_tenants" if has_view else _NOTHING
    region = "region" if has_region else _NOTHING
    asked = {
        "rows": "count(*) FROM sessions",
        "a trigger": "nullif(count(*), 0) FROM notes WHERE text = 'numbered old-many-3'",
        "a view": view,
        "a default": f"{region} FROM sessions WHERE session_id = 'old-many-0'",
    }
    queries = ", ".join(f"(SELECT {one})" for one in asked.values())
    (row,) = await tables.fetch(place, f"SELECT {queries}")
    found = dict(zip(asked, row, strict=True))
    return {**found, "a CHECK": await _is_checked(place) if has_region else None}


def as_built(sessions: int) -> dict[str, Any]:
    """Answer what `try_out` answers while all of it works, beside so many old sessions."""
    return {
        "rows": sessions + MANY + _ODD_COUNT + 1,
        "a trigger": 1,
        "a view": 2,
        "a default": "eu",
        "a CHECK": True,
    }


async def _is_checked(place: str) -> bool | None:
    try:
        await tables.execute(
            place, "UPDATE sessions SET region = '' WHERE session_id = 'old-many-0'"
        )
    except Exception as error:
        if not tables.is_of_a_constraint(error):
            raise
        return True
    return None
