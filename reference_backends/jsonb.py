"""JSON text for a JSONB column, which keeps numbers as exact decimals and not as written."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from reference_backends import rules

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

_STRING_OR_LARGE_FLOAT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9.]+e\+[0-9]+')

# A large float has an `e`, and after it a `+` or a digit that is none of the first: Python writes
# floats from 1e16 on with `e+`, others without the sign. A text may have the same in it.
_ALL_ONE = bytes.maketrans(b"+123456789", b"1111111111")


def encode(value: Json) -> str:
    """Word a value that was checked so that its floats come back as floats.

    JSONB keeps 1.5 and 1.0 as they are, but writes 1e16 as 10000000000000000, which reads as an
    integer. With a fraction, 10000000000000000.0, it stays a float. Only the sign of -0.0 is lost.
    """
    text = rules.encode(value)
    if b"e1" not in text.encode().translate(_ALL_ONE):
        return text
    # In the one wording that the expression is made for, whatever has worded the text above.
    text = rules.encode_strictly(value)
    return _STRING_OR_LARGE_FLOAT.sub(_with_fraction, text) if "e+" in text else text


def _with_fraction(token: re.Match[str]) -> str:
    return token[0] if token[0].startswith('"') else f"{Decimal(token[0]):f}.0"
