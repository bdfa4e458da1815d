"""Having a server end connections by itself, as an administrator does."""

from __future__ import annotations

from .address import POSTGRES_SCHEMES

ENDING = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))
FROM pg_stat_activity WHERE client_port = ANY($1::int[]) AND pid <> pg_backend_pid()
"""


async def terminated(place: str, ports: list[int]) -> int:
    """End the connections that come from these ports; answer how many.

    None are ended on a server that is not PostgreSQL, nor where the role may not do it.
    """
    if place.partition("://")[0] not in POSTGRES_SCHEMES or not ports:
        return 0
    try:
        import asyncpg  # noqa: PLC0415 - an extra
    except ImportError:
        return 0
    try:
        connection = await asyncpg.connect(place, timeout=10)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return 0
    try:
        return int(await connection.fetchval(ENDING, ports))
    except asyncpg.PostgresError:
        return 0
    finally:
        await connection.close()
