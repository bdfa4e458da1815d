"""JSON text for a JSONB column, which keeps numbers as exact decimals and not as written."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from reference_backends import json_text

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

_STRING_OR_LARGE_FLOAT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9.]+e\+[0-9]+')

_NUMBER_WITH_EXPONENT = re.compile(r"[\[,:]-?[0-9.]+e\+?[0-9]")
"""As text without spaces has it, or a text in it."""

# A number comes after one of three characters. Without its digits an `e` comes after them, in most
# texts nowhere: what is left is soon searched.
_OPENINGS = bytes.maketrans(b":[", b",,")
_DIGITS = b"0123456789.-"


def encode(value: Json) -> str:
    """Word a value that was checked so that its floats come back as floats.

    JSONB keeps 1.5 and 1.0 as they are, but writes 1e16 as 10000000000000000, which reads as an
    integer. With a fraction, 10000000000000000.0, it stays a float. Only the sign of -0.0 is lost.
    """
    text = json_text.encode(value)
    left = text.encode().translate(_OPENINGS, _DIGITS)
    if not (b",e" in left or left.startswith(b"e")):
        return text
    if not (_NUMBER_WITH_EXPONENT.search(text) or left.startswith(b"e")):
        return text
    # In the one wording that the expression is made for, whatever has worded the text above.
    return _STRING_OR_LARGE_FLOAT.sub(_with_fraction, json_text.encode_strictly(value))


def _with_fraction(token: re.Match[str]) -> str:
    return token[0] if token[0].startswith('"') else f"{Decimal(token[0]):f}.0"
