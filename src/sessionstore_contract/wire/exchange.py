"""One request to a platform and what came back, in words and as a line for `curl`."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from .. import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NO_JSON: Final = object()
"""What a body is that can't be read as JSON; equal to nothing."""

WORKED: Final = tuple(range(200, 300))
"""Every status that says of a request that it was done."""

LONGEST_ARGUMENT = 2000
"""Bytes of a body that stand in a command as they are."""

SHOWN = 240
"""Characters of a body that a line of the history shows."""


@dataclass(frozen=True)
class Credential:
    """What an `authorization` header says, and how it is written where it may be read."""

    header: str = field(repr=False)
    worded: str
    is_own: bool = False
    """Whether it is the one that the platform was handed over with."""

    @classmethod
    def of(cls, token: str, name: str, *, is_own: bool = True) -> Credential:
        """Make that of a token, which is written as the variable that holds it."""
        return cls(f"Bearer {token}", f"Bearer ${{{name}}}", is_own)


ANONYMOUS: Final = Credential("", "no token", is_own=True)
"""That of a platform which asks for none."""


@dataclass(frozen=True)
class Request:
    """What is asked of a platform."""

    method: str
    path: str
    """Below the platform's URL, percent-encoded, with the query if there is one."""
    body: bytes | None = None
    credential: Credential = ANONYMOUS
    is_chunked: bool = False
    """Whether the body is sent in chunks, and its length is not announced."""
    leaves_after: float | None = None
    """Seconds after which the client is gone, answered or not."""
    if_none_match: str = ""
    """The ETag of an answer that the client has."""

    @property
    def route(self) -> str:
        """The request without the id, for a diagnosis: `PATCH`, `GET cost_data`."""
        return f"{self.method} cost_data" if self.path.endswith("/cost_data") else self.method

    def worded(self) -> str:
        """Word it in one line."""
        path = self.path if len(self.path) <= 200 else f"{self.path[:200]}..."
        said = f"{self.method} {path}"
        if not self.credential.is_own:
            said += f" [{self.credential.worded}]"
        if self.leaves_after is not None:
            said += f" [leaving after {self.leaves_after * 1000:.1f} ms]"
        if self.if_none_match:
            said += f" [If-None-Match: {self.if_none_match}]"
        return said if self.body is None else f"{said} {_shown(self.body)}"

    def curl(self, url: str, *, shows_body: bool = False) -> str:
        """Word it as a command that asks the same; a token is the variable that holds it."""
        words = ["curl", "-i"]
        # By -X alone, curl waits for the body that the answer to a HEAD announces.
        words += ["-I"] if self.method == "HEAD" and not shows_body else ["-X", self.method]
        words += ["--max-time", "5"] if self.method == "HEAD" and shows_body else []
        words += [] if self.leaves_after is None else ["--max-time", f"{self.leaves_after:.4f}"]
        if self.credential.header:
            words += ["-H", f'"Authorization: {self.credential.worded}"']
        if self.if_none_match:
            words += ["-H", shlex.quote(f"If-None-Match: {self.if_none_match}")]
        piped = ""
        if self.body is not None:
            words += ["-H", "'Transfer-Encoding: chunked'"] if self.is_chunked else []
            words += ["-H", "'Content-Type: application/json'", "--data-binary"]
            if _is_plain(self.body):
                words.append(shlex.quote(self.body.decode()))
            else:
                words.append("@-")
                piped = f"{shlex.join(['python3', '-c', _script(self.body)])} | "
        # Dots are left as they are, and a $ in front of a name of ours is to be filled in.
        target = f'"{url}"{shlex.quote(self.path)}' if url.startswith("$") else ""
        return f"{piped}{' '.join([*words, target or shlex.quote(url + self.path)])}"


@dataclass
class Exchange:
    """One request and its answer."""

    number: int
    request: Request
    is_judged: bool
    """Whether a clause holds this answer against its demand; else it only leads there."""
    is_at_once: bool = False
    """Whether it was asked at once with others."""
    outcome: Literal["pending", "answered", "failed"] = "pending"
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    is_unreachable: bool = False

    @property
    def json(self) -> Any:
        """The body as JSON; `NO_JSON` when it is none: in another encoding, or with NaN in it."""
        try:
            return json.loads(self.body.decode("utf-8-sig"), parse_constant=_no_number)
        except (ValueError, RecursionError):
            return NO_JSON

    def member(self, name: str) -> Any:
        """Answer a member of the body; `NO_JSON` when there is no such."""
        found = self.json
        return found.get(name, NO_JSON) if isinstance(found, dict) else NO_JSON

    def answered(self) -> str:
        """Word what came of it."""
        match self.outcome:
            case "answered":
                return f"{self.status} {_shown(self.body)}".rstrip()
            case "failed":
                return f"no answer: {self.error}"
        return "had not answered yet"


class ExchangeFailed(Exception):  # noqa: N818 - named for what happened, as StepFailed is
    """A request that only leads to the judged one was not answered as it must be."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(f"{exchange.request.worded()} answered {exchange.answered()}")
        self.exchange = exchange


def lines(exchanges: Iterable[Exchange]) -> list[str]:
    """Word a history, a line for each exchange."""
    return [f"{one.request.worded()}  ->  {one.answered()}" for one in exchanges]


def curl_lines(exchanges: Iterable[Exchange], url: str) -> Iterator[str]:
    """Word a history as commands; those that were asked at once run at once."""
    is_waiting = False
    for one in exchanges:
        if is_waiting and not one.is_at_once:
            yield "wait"
        is_waiting = one.is_at_once
        yield one.request.curl(url, shows_body=bool(one.body)) + (" &" if one.is_at_once else "")
    if is_waiting:
        yield "wait"


def _no_number(literal: str) -> NoReturn:
    raise ValueError(literal)


def _shown(body: bytes) -> str:
    text = values.printable(body.decode("utf-8", "backslashreplace"), limit=SHOWN)
    return text if len(body) <= SHOWN else f"{text} ({len(body):,} bytes)"


def _is_plain(body: bytes) -> bool:
    try:
        return len(body) <= LONGEST_ARGUMENT and body.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _script(body: bytes) -> str:
    """Answer a Python script that prints the body, with what is repeated in it written once."""
    pieces, end = [], 0
    for run in re.finditer(rb"(.)\1{99,}", body, re.DOTALL):
        pieces += [repr(body[end : run.start()]), f"{run[1]!r} * {len(run[0])}"]
        end = run.end()
    pieces.append(repr(body[end:]))
    whole = " + ".join(piece for piece in pieces if piece != "b''") or "b''"
    return f"import sys; sys.stdout.buffer.write({whole})"
