"""Trying the clauses of a platform, one after the other, on a loop and thread of the kit's own."""

from __future__ import annotations

import contextlib
import functools
import random
import time
from contextlib import ExitStack
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpx

from .effort import NORMAL, THOROUGH, Effort
from .expect import NothingFound, Violation
from .history import word_error
from .storage.service_loop import ServiceLoop
from .verdict import Finding, Verdict
from .wire.client import Client
from .wire.exchange import ANONYMOUS, Credential, Exchange, ExchangeFailed, curl_lines, lines
from .wire.lifespan import PATIENCE, NotStartedError, started

if TYPE_CHECKING:
    import ssl
    from typing import Self

    from .clause import Clause
    from .wire.platform import Platform

OWNERS = {
    "POST": "wire.create",
    "GET": "wire.get",
    "PUT": "wire.put-is-upsert",
    "PATCH": "wire.patch-merges",
    "GET cost_data": "wire.cost-data-is-readable",
    "HEAD": "wire.head",
    "DELETE": "wire.delete",
}
"""The clause that demands of a route that it works at all."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})

IN_PROCESS = "http://platform"
"""Where an application in this process is asked."""

MOST_COMMANDS = 30
"""Commands that are shown of a history: the last ones."""


class WireDesk:
    """Holds one platform open while its clauses are tried; to be closed."""

    def __init__(self, platform: Platform, *, seed: int, effort: Effort = NORMAL) -> None:
        self.platform = platform
        self._url = (platform.url or "$URL").rstrip("/")
        self.server: str | None = None
        """What the platform says that it is."""
        self._seed = seed
        self._effort = effort
        self._loop = ServiceLoop()
        self._open = ExitStack()
        self._transport: httpx.AsyncBaseTransport | None = None
        self._cannot: str | None = None

    def __enter__(self) -> Self:
        self._open.callback(self._loop.close)
        try:
            if self.platform.app is not None:
                self._start()
            self._cannot = self._loop.run(self._greet(), timeout=self.platform.timeout + 5)
        except NotStartedError as error:
            self._cannot = str(error)
        except TimeoutError:
            self._cannot = "the platform did not start in time"
        return self

    def __exit__(self, *_: object) -> None:
        # A platform that blocks its loop keeps the thread; it does not keep the run.
        with contextlib.suppress(TimeoutError):
            self._open.close()

    def try_clause(self, clause: Clause) -> Finding:
        """Try one clause. Answers a finding whatever the platform does."""
        inapplicable = clause.missing(self.platform.capabilities)
        if inapplicable:
            return Finding(clause, Verdict.NOT_APPLICABLE, reason=inapplicable)
        if self._cannot is not None:
            return Finding(clause, Verdict.INCONCLUSIVE, reason=self._cannot)
        began = time.monotonic()
        history: list[Exchange] = []
        notes: list[str] = []
        try:
            failure = self._loop.run(
                self._attempt(clause, history, notes), timeout=self._effort.limit
            )
        except TimeoutError:
            failure = NothingFound(_given_up(self._effort))
        finding = self._judge(clause, failure, history)
        if finding.verdict is Verdict.HELD and notes:
            finding = replace(finding, reason="; ".join(notes))
        return replace(self._hidden(finding), duration=time.monotonic() - began)

    def _start(self) -> None:
        life = started(self.platform.app)
        app = self._loop.run(life.__aenter__(), timeout=PATIENCE + 5)
        self._open.callback(
            lambda: self._loop.run(life.__aexit__(None, None, None), timeout=PATIENCE + 5)
        )
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def _greet(self) -> str | None:
        """Ask once for what is not there; answer why the platform can't be tried, if it can't."""
        async with self._http() as http:
            client = self._client(http, "greeting")
            try:
                found = await client.get(client.new_id()).perform(is_judged=False)
            except NothingFound as error:
                return str(error)
            self.server = self.platform.hide(found.headers.get("server", "")) or None
            return _obstacle(found, has_token=self.platform.token is not None)

    async def _attempt(
        self, clause: Clause, history: list[Exchange], notes: list[str]
    ) -> Exception | None:
        async with self._http() as http:
            client = self._client(http, clause.id)
            client.exchanges, client.notes = history, notes
            try:
                await clause.procedure(client)
            except Exception as error:  # noqa: BLE001 - judged below
                return error
            finally:
                await client.clean_up()
        return None

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.platform.url or IN_PROCESS,
            transport=self._transport,
            verify=_certificates(),
            trust_env=False,
            # A cookie would be a second credential, beside the one that a request is to have.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            timeout=None,  # noqa: S113 - the client bounds the whole request
            # A connection for each request: one that is kept may be closed by the peer, as it may,
            # in the moment in which the next request is sent on it.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def _client(self, http: httpx.AsyncClient, name: str) -> Client:
        platform = self.platform
        return Client(
            http,
            url=self._url,
            capabilities=platform.capabilities,
            effort=self._effort,
            seed=random.Random(f"{self._seed}:{name}"),  # noqa: S311 - it must be repeatable
            credential=_credential(platform.token, platform.token_name) or ANONYMOUS,
            reader=_credential(platform.reader_token, platform.reader_token_name),
            body_limit=platform.body_limit,
            is_disposable=platform.is_disposable,
            is_in_process=platform.app is not None,
            timeout=platform.timeout,
        )

    def _judge(
        self, clause: Clause, failure: BaseException | None, history: list[Exchange]
    ) -> Finding:
        if failure is None:
            return Finding(clause, Verdict.HELD)
        found = Finding(
            clause,
            Verdict.INCONCLUSIVE,
            witness=tuple(lines(history)),
            program=tuple(curl_lines(history[-MOST_COMMANDS:], self._url)),
        )
        match failure:
            case Violation():
                judged = [one.request.route for one in history if one.is_judged]
                return replace(
                    found,
                    verdict=Verdict.VIOLATED,
                    headline=failure.headline,
                    demanded=failure.demanded,
                    answered=failure.answered,
                    judged=judged[-1] if judged else None,
                )
            case ExchangeFailed():
                owner = OWNERS[failure.exchange.request.route]
                return replace(found, reason=f"{failure}: see {owner}", owner=owner)
            case NothingFound():
                return replace(found, reason=str(failure))
        return replace(
            found, verdict=Verdict.FAULTED, reason=f"the kit failed: {word_error(failure)}"
        )

    def _hidden(self, finding: Finding) -> Finding:
        said: dict[str, Any] = {
            name: value and self.platform.hide(value)
            for name in ("headline", "demanded", "answered", "reason")
            for value in [getattr(finding, name)]
        }
        for name in ("witness", "program"):
            said[name] = tuple(map(self.platform.hide, getattr(finding, name)))
        return replace(finding, **said)


@functools.cache
def _certificates() -> ssl.SSLContext:
    # Reading them takes longer than everything else about a client.
    return httpx.create_ssl_context()


def _obstacle(greeted: Exchange, *, has_token: bool) -> str | None:
    """Answer why the platform can't be tried, by what it says to a first question."""
    if greeted.outcome != "answered":
        return f"a GET of a missing session, asked first, is not answered: {greeted.error}"
    if greeted.status in {401, 403}:
        way_out = "hand over a token that is let in (--token-env NAME)"
        if has_token:
            way_out = (
                "the token that was handed over is not let in, or a missing session, which is "
                "asked for first, is not answered 404"
            )
        return f"the platform answers {greeted.status}: {way_out}"
    if greeted.status in REDIRECTS:
        return f"the platform answers {greeted.status}: give the URL that it redirects to"
    return None


def _given_up(effort: Effort) -> str:
    said = f"the clause was given up after {effort.limit:.0f} s"
    if effort.limit < THOROUGH.limit:
        said += f": for a slow platform, --effort {THOROUGH.name} has {THOROUGH.limit:.0f} s for it"
    return said


def _credential(token: str | None, name: str) -> Credential | None:
    return None if token is None else Credential.of(token, name)
