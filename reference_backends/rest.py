"""What the platform and the HTTP store agree on: the codes of errors."""

from __future__ import annotations

from typing import Final

from reference_backends.strict_json import read_json

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


def error_code(body: bytes) -> str | None:
    """Answer the code of an error of the platform, None for what is not one."""
    try:
        found = read_json(body)
    except ValueError:
        return None
    error = found.get("error") if isinstance(found, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and code in CODES else None
