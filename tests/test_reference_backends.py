"""The reference backends hold the contract, tried as any author would try theirs."""

from __future__ import annotations

from dataclasses import replace

import httpx

from reference_backends import HTTP, MEMORY, NULL, POSTGRES, SQLITE
from reference_backends.http import HttpSessionStore
from reference_backends.in_process import InProcessPlatform
from sessionstore_contract import Backend, contract_tests
from sessionstore_contract.catalogue import select
from sessionstore_contract.effort import THOROUGH
from sessionstore_contract.harness import Conditions, provided, try_clause
from sessionstore_contract.storage.selection import PostgresChoice
from sessionstore_contract.verdict import Verdict
from tests.designs import UUIDS
from tests.writing_over import WRITING_OVER


def open_by_httpx(url: str, seconds: float = 10.0) -> HttpSessionStore:
    """Open a store whose requests are made by httpx, as where aiohttp is not installed."""
    return HttpSessionStore(url, transport=httpx.AsyncHTTPTransport(verify=False), timeout=seconds)


def open_by_httpx_with_token(url: str, token: str) -> HttpSessionStore:
    """Do the same for a platform that asks for a token."""
    return HttpSessionStore(url, token=token, transport=httpx.AsyncHTTPTransport(verify=False))


MADE_BY_THE_CLIENT = (
    *("opening", "sharing", "cancellation", "failure", "durability", "faults", "closing"),
    "security",
)
"""What hangs on the connections; what is said on them is the same whoever makes them."""

UPDATING = ("cost", "concurrency", "cancellation", "durability", "sequence", "migration", "sharing")
"""What is said of updates, and of what interrupts them."""

platform = InProcessPlatform()

test_null = contract_tests(NULL)
test_memory = contract_tests(MEMORY)
test_sqlite = contract_tests(SQLITE)
test_sqlite_writing_over = contract_tests(WRITING_OVER, clauses=UPDATING)
test_postgres = contract_tests(POSTGRES)
test_http = contract_tests(HTTP)
test_http_by_httpx = contract_tests(
    replace(
        HTTP,
        name="http-by-httpx",
        open=open_by_httpx,
        open_bounded=open_by_httpx,
        open_with_token=open_by_httpx_with_token,
    ),
    clauses=MADE_BY_THE_CLIENT,
)
test_uuids = contract_tests(UUIDS)
test_http_in_process = contract_tests(
    Backend("http-in-process", open=platform.open, storage=platform, profile="durable")
)


def test_what_grows_is_not_refused_at_the_largest_effort() -> None:
    """The platform has a limit, and refuses what is past it with good reason."""
    (clause,) = select(["growth.update-does-not-pay-for-messages"])
    conditions = Conditions(seed=1, effort=THOROUGH)
    with provided(HTTP, PostgresChoice("auto", "")) as storage:
        finding = try_clause(clause, HTTP, storage, conditions)
    assert finding.verdict is Verdict.HELD, finding.reason
