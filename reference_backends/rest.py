"""What the platform and the HTTP store agree on: the codes of errors, and JSON read strictly."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any, Final, NoReturn

from reference_backends import histories, json_text
from sessionstore_contract.interface import Json

SESSION_MISSING: Final = "session_missing"
SESSION_EXISTS: Final = "session_exists"
INVALID_ID: Final = "invalid_id"
INVALID_BODY: Final = "invalid_body"
INVALID_QUERY: Final = "invalid_query"
UNSTORABLE_VALUE: Final = "unstorable_value"
TOO_LARGE: Final = "too_large"
UNAUTHORIZED: Final = "unauthorized"
FORBIDDEN: Final = "forbidden"
NOT_FOUND: Final = "not_found"
METHOD_NOT_ALLOWED: Final = "method_not_allowed"
NOT_SUPPORTED: Final = "not_supported"
UNAVAILABLE: Final = "unavailable"
INTERNAL: Final = "internal"

CODES: Final = frozenset(
    {
        SESSION_MISSING,
        SESSION_EXISTS,
        INVALID_ID,
        INVALID_BODY,
        INVALID_QUERY,
        UNSTORABLE_VALUE,
        TOO_LARGE,
        UNAUTHORIZED,
        FORBIDDEN,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        NOT_SUPPORTED,
        UNAVAILABLE,
        INTERNAL,
    }
)
"""Every error of the platform is `{"error": {"code": one of these, "message": "..."}}`."""


READ_BACK_AT_ONCE: Final = 2**21
"""Bytes of JSON text, worded as ours is, that are read in some 3 ms; in pieces it takes a third
more."""


def read_json(body: bytes) -> Json:
    """Read one JSON value as RFC 8259 has it, or raise ValueError.

    Python's parser takes more than JSON: NaN, other encodings, a member twice of which it drops
    one, numbers that become infinite. What is read in one way here and in another by the next
    service is refused.
    """
    try:
        return histories.read_at_once(body.decode("utf-8"), _STRICT)
    except RecursionError:
        # Cut off from the parser's own exception, whose traceback is a thousand frames long.
        pass
    raise ValueError("nested too deeply")


async def read_in_pieces(body: bytes) -> Json:
    """Do the same for a body that may be long, and let others have their turn meanwhile."""
    if len(body) <= READ_BACK_AT_ONCE:
        with suppress(ValueError):
            return json_text.read_back(body).value
    if len(body) <= histories.GROUP:
        return read_json(body)
    try:
        return await histories.read(body.decode("utf-8"), _STRICT)
    except RecursionError:
        pass
    raise ValueError("nested too deeply")


def error_code(body: bytes) -> str | None:
    """Answer the code of an error of the platform, None for what is not one."""
    try:
        found = read_json(body)
    except ValueError:
        return None
    error = found.get("error") if isinstance(found, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and code in CODES else None


def _refuse_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no JSON number")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError("a number is too large for a double")
    return number


def _object(members: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("an object names a member twice")
    return found


class _Strict(json.JSONDecoder):
    def decode(self, text: str, *arguments: Any) -> Any:
        # Twice as fast for what our own stores and platform have sent.
        with suppress(ValueError):
            return json_text.read_back(text.encode()).value
        return super().decode(text, *arguments)


_STRICT: Final = _Strict(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object
)
