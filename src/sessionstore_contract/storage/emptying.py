"""A database made as it was when it was new, in a tenth of the time that a new one takes.

A new database is a copy of some 300 files. What a store leaves behind is as a rule a few tables
in the schema `public`: that schema is dropped and made again, and the database serves another
place under another name. One in which there is anything else is not used again.
"""

from __future__ import annotations

EARLIEST = 150_000
"""From PostgreSQL 15 on `public` belongs to whoever owns the database, who may drop it."""

_OF_SOMEBODY = 16_384
"""The first object number that is not PostgreSQL's own."""

_INSIDE = (
    *(
        f"pg_{name} WHERE oid >= {_OF_SOMEBODY}"
        for name in ("am", "cast", "event_trigger", "extension", "foreign_data_wrapper")
    ),
    *(
        f"pg_{name} WHERE oid >= {_OF_SOMEBODY}"
        for name in ("language", "publication", "transform", "default_acl", "largeobject_metadata")
    ),
    (
        f"pg_namespace WHERE oid >= {_OF_SOMEBODY} AND nspname <> 'public' "
        "AND nspname !~ '^pg_(toast_)?temp_'"
    ),
    *(f"pg_{name} WHERE oid >= {_OF_SOMEBODY}" for name in ("class", "proc", "type")),
)

_ABOUT = (
    "pg_prepared_xacts WHERE database = '{name}'",
    "pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE d.datname = '{name}'",
    "pg_database WHERE datname = '{name}' AND datacl IS NOT NULL",
)
"""What the server keeps of a database in places that all of them share."""


def _any_row(catalogues: tuple[str, ...]) -> str:
    rows = " UNION ALL ".join(f"SELECT 1 FROM {catalogue}" for catalogue in catalogues)  # noqa: S608 - our own names
    return f"EXISTS ({rows})"


def _fails_where(found: str) -> str:
    """Word a query that divides by zero where that is found."""
    return f"SELECT 1 / (CASE WHEN {found} THEN 0 ELSE 1 END)"


SETTING_ASIDE = f"""
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_get_activity(NULL)
    WHERE datid = (SELECT oid FROM pg_database WHERE datname = '{{name}}');
{_fails_where(_any_row(_ABOUT))};
ALTER DATABASE {{name}} RENAME TO {{spare}}
"""  # noqa: S608 - our own names
"""Ends who is connected and gives the database a name that nobody knows; one message.

Whoever was left behind finds no way back into it. Fails, by a division, where the server keeps
something of the database that it does not keep of a new one.
"""

EMPTYING = f"""
DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
COMMENT ON SCHEMA public IS 'standard public schema';
{_fails_where(_any_row(_INSIDE))}
"""
"""Fails, by a division, where something is left inside that a new database does not have.

One message, for a new connection has each catalogue to read before it can ask for it.
"""
