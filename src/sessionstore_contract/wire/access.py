"""Who may do what: the bearer token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from .client import SESSIONS, path_of
from .exchange import Credential
from .expect import expect, expect_unchanged, raise_violation
from .platform import RECOGNISED
from .sessions import COSTS

if TYPE_CHECKING:
    from ..interface import Json
    from .client import Ask, Client
    from .exchange import Exchange

ODD = {
    "a token past ASCII": Credential("Bearer \u00e9", "Bearer \u00e9"),
    "an empty token": Credential("Bearer", "Bearer"),
}
"""Credentials that may be refused in any 4xx: some call them malformed."""

_WITHOUT_CASE = re.compile(r"[0-9A-Fa-f-]+|[a-z2-7=]+")
"""Tokens that may be hexadecimal or base 32, in which the case says nothing."""

LONG_AGO = "1971-01-01T00:00:00+00:00"


@must(
    "wire.auth",
    "Without a valid bearer token every route answers 401 (with a token that lacks the right, "
    "403), reveals nothing and changes nothing.",
    because="One route that forgot to ask is enough to read and to erase every chat. An answer "
    "that tells a missing session from one that is there tells who talks to the service.",
    remedy="Ask for the token in front of the router, not in each route, and before the body, the "
    "id and the session are looked at. Compare in constant time, as bytes: Python's "
    "compare_digest raises for text that is not ASCII, and that is a 500.",
    needs={Capability.AUTH},
)
async def auth(platform: Client) -> None:
    secret: list[Json] = [{"role": "user", "content": f"secret of {platform.new_id()}"}]
    session = await platform.begin_with(secret, COSTS)
    begun = len(platform.exchanges)
    for what, credential in _wrong(platform).items():
        platform.rewind(begun)
        made = platform.new_id()
        for ask in _every_route(platform, session, made, credential):
            found = await expect(ask).to_be_refused(
                f"{ask.request.route} is answered with {what}", 401, with_json=False
            )
            if str(secret[0]["content"]).encode() in found.body:
                raise_violation(found, f"{found.request.route} reveals a message in its 401", "401")
            _demand_no_token(platform, found)
        await _demand_nothing_changed(platform, session, made, secret, what)
    for what, credential in ODD.items():
        platform.rewind(begun)
        await expect(platform.get(session, credential=credential)).to_be_refused(
            f"GET is answered with {what}", with_json=False
        )
    platform.rewind(begun)
    await _try_bad_json(platform, session)
    await _try_reader(platform, session, secret)


async def _try_bad_json(platform: Client, session: str) -> None:
    """Without a token, what is wrong with the body is nobody's business."""
    nobody = Credential("", "no token")
    for method, path in (
        ("POST", SESSIONS),
        ("PUT", path_of(session)),
        ("PATCH", path_of(session)),
    ):
        await expect(platform.ask(method, path, raw=b"{", credential=nobody)).to_be_refused(
            f"{method} is answered with no token", 401, with_json=False
        )


def _demand_no_token(platform: Client, found: Exchange) -> None:
    """Demand that a refusal tells no token that it was not asked with."""
    said = [found.body.decode("latin-1"), *found.headers.values()]
    for known in (platform.credential, platform.reader):
        token = known.header.removeprefix("Bearer ") if known else ""
        is_told = any(token in one for one in said)
        # A short one may be a word that is meant otherwise.
        if len(token) >= RECOGNISED and is_told and token not in found.request.credential.header:
            raise_violation(found, f"{found.request.route} tells a token in its 401", "401")


def _wrong(platform: Client) -> dict[str, Credential]:
    right, worded = platform.credential.header, platform.credential.worded
    wrong = {
        "no token": Credential("", "no token"),
        "a wrong token": Credential("Bearer wrong-token", "Bearer wrong-token"),
        "another scheme": Credential("Basic d3Jvbmc6dG9rZW4=", "Basic d3Jvbmc6dG9rZW4="),
        "a longer token": Credential(f"{right}x", f"{worded}x"),
        # In a shell, the variable without its last character.
        "the beginning of the token": Credential(right[:-1], f"{worded[:-1]}%?}}"),
        "a pattern for every token": Credential("Bearer %", "Bearer %"),
    }
    token = right.removeprefix("Bearer ")
    if token != token.upper() and not _WITHOUT_CASE.fullmatch(token):
        # In bash, the variable in capital letters.
        wrong["the token in capital letters"] = Credential(
            f"Bearer {token.upper()}", f"{worded[:-1]}^^}}"
        )
    return wrong


def _every_route(platform: Client, session: str, made: str, credential: Credential) -> list[Ask]:
    asks = [
        platform.get(session, credential=credential),
        platform.get(made, credential=credential),
        platform.head(session, credential=credential),
        platform.create(made, credential=credential),
        platform.put(session, [], credential=credential),
        platform.patch(session, {"stolen": 1}, credential=credential),
        platform.delete(session, credential=credential),
    ]
    if platform.can(Capability.COST_READ):
        asks.append(platform.cost_data(session, credential=credential))
    if platform.can(Capability.RETENTION):
        asks.append(platform.delete_before(LONG_AGO, credential=credential))
    return asks


async def _demand_nothing_changed(
    platform: Client, session: str, made: str, messages: list[Json], what: str
) -> None:
    await expect_unchanged(
        platform, session, f"a request with {what} changes the session", messages, COSTS
    )
    found = await platform.get(made).perform(is_judged=True)
    if found.status != 404:
        raise_violation(found, f"POST with {what} makes a session", "404")


async def _try_reader(platform: Client, session: str, messages: list[Json]) -> None:
    if platform.reader is None:
        return
    made = platform.new_id()
    for ask in _every_route(platform, session, made, platform.reader):
        if ask.request.method in {"GET", "HEAD"}:
            status = (
                404
                if ask.request == platform.get(made, credential=platform.reader).request
                else 200
            )
            await expect(ask).to_answer(status)
        else:
            await expect(ask).to_be_refused(
                f"{ask.request.route} is answered with the right to read alone",
                403,
                with_json=False,
            )
    await _demand_nothing_changed(platform, session, made, messages, "the right to read alone")
