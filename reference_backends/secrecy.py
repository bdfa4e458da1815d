"""Keeps a token out of what other libraries log about a conversation."""

from __future__ import annotations

import logging
import re
from typing import Final

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
    """Takes the token out of each log record of httpx and httpcore, until it is lifted."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token
        for name in _TALKERS:
            logging.getLogger(name).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if self._token in text:
            record.msg, record.args = text.replace(self._token, "[token]"), None
        return True

    def lift(self) -> None:
        """Leave the loggers as they were."""
        for name in _TALKERS:
            logging.getLogger(name).removeFilter(self)
