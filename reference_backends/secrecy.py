"""Keeps a token out of what other libraries log about a conversation."""

from __future__ import annotations

import logging
import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TALKERS: Final = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
"""They log the peer's status line and headers, and a peer may echo what it was sent."""


def check_token(token: str) -> str:
    """Answer the token, or raise ValueError without showing it.

    The characters are those of RFC 6750. None of them is escaped by `repr`, in JSON or in a
    header, so a token has one spelling to look for, and can't end the header that it is put in.
    """
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
        raise ValueError(
            "a bearer token has letters, digits and . _ ~ + / - only, and = at its end"
        )
    return token


class Redaction(logging.Filter):
    """Takes tokens out of each log record of httpx and httpcore, until it is lifted.

    A token that is given stays so to the end; one of a request while that is under way.
    """

    def __init__(self, token: str | None = None) -> None:
        super().__init__()
        self._uses = Counter([] if token is None else [token])
        for name in _TALKERS:
            logging.getLogger(name).addFilter(self)

    @contextmanager
    def of(self, token: str) -> Iterator[None]:
        """Take this token out while a request with it is under way."""
        self._uses[token] += 1
        try:
            yield
        finally:
            self._uses[token] -= 1
            if not self._uses[token]:
                del self._uses[token]

    def filter(self, record: logging.LogRecord) -> bool:
        said = text = record.getMessage()
        for token in tuple(self._uses):
            text = text.replace(token, "[token]")
        if text != said:
            record.msg, record.args = text, None
        return True

    def lift(self) -> None:
        """Leave the loggers as they were."""
        for name in _TALKERS:
            logging.getLogger(name).removeFilter(self)
