"""What an author hands over: a platform at a URL, or an ASGI application in this process."""

from __future__ import annotations

import json
import re
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..capabilities import Capability
from ..names import nearest, refuse_name

if TYPE_CHECKING:
    from collections.abc import Collection

CAPABILITIES = (Capability.COST_READ, Capability.RETENTION, Capability.AUTH)
"""What a platform may claim beyond persistence."""

RECOGNISED = 8
"""Characters at the beginning of a token from which on it is hidden, without its end."""

_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")


class PlatformError(ValueError):
    """A platform that can't be tried as it was described; one line that says why."""


@dataclass(frozen=True)
class Platform:
    """A platform to be tried: where it is, how to get in, and what it claims.

    Every session that is made on it has a fresh UUID in its id and is removed in the end; no other
    is touched, unless the platform claims `retention` and is disposable.
    """

    name: str
    _: KW_ONLY
    url: str | None = None
    """What stands before `/v1/sessions`."""
    app: Any = None
    """An ASGI application instead of a URL: it is started, asked and stopped in this process."""
    token: str | None = field(default=None, repr=False)
    """A bearer token with every right."""
    token_name: str = "TOKEN"  # noqa: S105 - a name
    """The variable that stands for the token in what is printed."""
    reader_token: str | None = field(default=None, repr=False)
    """A bearer token with the right to read alone, on a platform that knows such."""
    reader_token_name: str = "READER_TOKEN"  # noqa: S105 - a name
    adding: Collection[str] = ()
    """What is claimed: `cost-read`, `retention`, `auth`."""
    body_limit: int | None = None
    """Bytes of the largest body that it says it takes."""
    disposable: bool | None = None
    """Whether it holds nothing that anybody needs: then the clause of `retention` removes every
    session that is idle. Without a word: on a loopback address and in this process only."""
    timeout: float = 10.0
    """Seconds that one request may take."""

    def __post_init__(self) -> None:
        refuse_name(self.name, PlatformError)
        if (self.url is None) == (self.app is None):
            raise PlatformError(f"platform {self.name!r}: give a url, or an app")
        if self.url is not None:
            _check(self.url)
        known = [str(one) for one in CAPABILITIES]
        for name in self.adding:
            if name not in {*known, Capability.PERSISTENCE}:
                raise PlatformError(f"no capability {name!r} of a platform{nearest(name, known)}")
        if Capability.AUTH in self.capabilities and not self.token:
            raise PlatformError(
                f"platform {self.name!r} claims auth: hand over a token that is let in "
                "(--token-env NAME)"
            )
        for token in (self.token, self.reader_token):
            if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
                # Not shown: it is a secret all the same.
                raise PlatformError("the token is empty, or has characters that no header takes")

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What is claimed."""
        return frozenset({Capability.PERSISTENCE, *map(Capability, self.adding)})

    @property
    def is_disposable(self) -> bool:
        """Whether idle sessions of anybody may be removed."""
        if self.disposable is not None:
            return self.disposable
        host = urlsplit(self.url).hostname if self.url is not None else "localhost"
        return _LOOPBACK.fullmatch(host or "") is not None

    def options(self) -> tuple[str, ...]:
        """Word how it is to be taken, in words of the command line; tokens by their variables."""
        named = (
            ("--with", ",".join(self.adding)),
            ("--token-env", self.token and self.token_name),
            ("--reader-token-env", self.reader_token and self.reader_token_name),
            ("--body-limit", self.body_limit and str(self.body_limit)),
        )
        told = [word for option, value in named if value for word in (option, value)]
        if self.disposable is not None:
            told.append("--disposable" if self.disposable else "--not-disposable")
        return tuple(told)

    def hide(self, text: str) -> str:
        """Write the variables where a platform echoed its tokens."""
        for token, name in (
            (self.token, self.token_name),
            (self.reader_token, self.reader_token_name),
        ):
            for spelling in _spellings(token or ""):
                text = text.replace(spelling, f"${{{name}}}")
        return text


def _spellings(token: str) -> list[str]:
    """Answer how a token may stand in an answer: in JSON too, and cut off where that is cut off."""
    words = {token, json.dumps(token)[1:-1], token.replace("/", "\\/")} - {""}
    words |= {word.upper() for word in words if len(word) >= RECOGNISED}
    cut = {word[:length] for word in words for length in range(RECOGNISED, len(word))}
    return sorted(words | cut, key=len, reverse=True)


def _check(url: str) -> None:
    # The messages don't show the URL: what is wrong with it may be the password in it.
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise PlatformError("the URL can't be read") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PlatformError("the URL of a platform begins with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise PlatformError("the URL has a user or password in it: use --token-env NAME")
    if parts.query or parts.fragment:
        raise PlatformError("the URL of a platform has no query and no fragment")
