"""A PostgreSQL role that may read and write rows, and change no table, as careful owners give."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack

from .secret import drop_role
from .storage import StorageUnavailableError
from .storage.dsn import Dsn
from .storage.postgres_server import Administrator

GRANTS = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
)


async def given(place: str) -> tuple[str | None, AsyncExitStack]:
    """Answer the place as that role sees it; the role ends with the stack.

    None for the place where no such role can be made.
    """
    dsn = Dsn.parse(place)
    role, password = f"contract_{secrets.token_hex(6)}", secrets.token_hex(12)
    async with AsyncExitStack() as made:
        owner = Administrator(dsn)
        made.push_async_callback(owner.close)
        try:
            refusal = await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
            if refusal is None:
                made.push_async_callback(drop_role, owner, role)
                refusals = [await owner.execute(grant.format(role=role)) for grant in GRANTS]
                if not any(refusals):
                    return str(dsn.with_login(role, password)), made.pop_all()
        except StorageUnavailableError:
            pass
        return None, made.pop_all()
