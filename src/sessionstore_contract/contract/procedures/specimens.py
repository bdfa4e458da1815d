"""Values of all kinds that stores are tried with, and when an answer is one of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...values import are_equal, word
from .to_others import Lot

if TYPE_CHECKING:
    import random

    from hypothesis.strategies import SearchStrategy

    from ...interface import Json

TEXTS = (
    "",
    " ",
    " padded ",
    "CR LF \r\n and LF \n and TAB \t",
    "line end at the end\n",
    "line separators \u2028 \u2029 \u0085",
    "control \x01 \x1f \x7f",
    "beyond the BMP \U0001f600 \U0001d11e \U0010fffd",
    "joined \U0001f469\u200d\U0001f4bb",
    "combining e\u0301, composed \u00e9",
    "right to left \u05d0 \u202e",
    "byte order mark \ufeff",
    "quotes ' \" ` and \\ and \\\\ and \\n",
    "per cent %s %(name)s %%, braces {0} {name}, dollar $1 :name ?",
    "<script>&amp;</script>",
    "1",
    "1.0",
    "007",
    "1e5",
    "0x10",
    "12345678901234567890",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05+00:00",
    "12:30",
    "true",
    "false",
    "null",
    "None",
    "NaN",
    "Infinity",
    "[]",
    "{}",
    '{"a": 1}',
    '"quoted"',
)
"""Texts that are something else to whoever looks into them."""

AS_WRITTEN = ("\\u0000", "\\x00", "\\0", "\\\\u0000", "\\\\\\u0000", "%00", "&#0;")
"""Texts without NUL in which somebody may see one."""

LINE_ENDS = [f"one{end}two" for end in ("\n", "\r", "\r\n", "\u2028", "\u2029", "\u0085")]

CORNERS: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    2**53,
    [],
    {},
    [[]],
    [{}],
    {"": {}},
    {"0": "first", "1": "second"},
    [None],
    [[[1], []], {"a": [{"b": None}]}],
    *TEXTS,
    dict.fromkeys(TEXTS, 1),
]

NUMBERS: tuple[float, ...] = (
    0,
    1,
    -1,
    2**31 - 1,
    2**31,
    -(2**31) - 1,
    2**32,
    2**53 - 1,
    2**53,
    -(2**53),
    0.1,
    -0.1,
    0.1 + 0.2,
    1 / 3,
    3.14,
    1e-7,
    123456789.12345679,
    1e15 + 0.3,
    1e16,
    1e21,
    1e23,
    1e100,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    2.2250738585072014e-308,
    5e-324,
)

AS_A_WHOLE = 2**20
"""Characters up to which what is worded is compared: more than any of these values has."""

DRAWN = 20
"""Numbers, and texts of as many characters, that are drawn beside those that are known."""


def json_values() -> SearchStrategy[Any]:
    """Draw values whose kinds no store mistakes by nature; what is drawn first is every corner."""
    from hypothesis import strategies as st  # noqa: PLC0415 - `list` must not wait for it

    texts = st.sampled_from(TEXTS) | st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20
    )
    floats = st.floats(-1e6, 1e6).filter(lambda number: not number.is_integer())
    leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | floats | texts
    anything = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    )
    return st.sampled_from([CORNERS]) | anything


def lots(drawing: random.Random) -> list[Lot]:
    """Answer values of all kinds; those that a store may refuse are in lots of their own."""
    texts = [*TEXTS, *AS_WRITTEN, *(_drawn_text(drawing) for _ in range(DRAWN))]
    numbers = [*NUMBERS, *(drawing.uniform(-1e6, 1e6) for _ in range(DRAWN))]
    return [
        # First what makes lines of its own: a log can't be read any further there.
        Lot("texts with line ends", [*LINE_ENDS]),
        Lot("numbers", numbers, alike=are_equal_by_value),
        Lot("texts and what nests", [*CORNERS, *texts]),
        Lot("keys", dict.fromkeys([*LINE_ENDS, *texts], 1)),
        Lot("200 levels of nesting", nest(200, "bottom")),
        Lot("a text with NUL", "a\x00b"),
        Lot("a key with NUL", "a\x00b", is_key=True),
        Lot("lone surrogates", "a\udfff\ud83d\ude00b"),
        Lot("a key with a lone surrogate", "a\ud800b", is_key=True),
        Lot("numbers that are not finite", [math.nan, math.inf, -math.inf], alike=are_worded_alike),
    ]


def nest(levels: int, bottom: Json) -> Json:
    """Answer this value so many lists and objects deep."""
    value = bottom
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


def _drawn_text(drawing: random.Random) -> str:
    """Draw characters of all of Unicode but NUL and surrogates."""
    numbers = (drawing.randrange(1, 0x10F800) for _ in range(DRAWN))
    return "".join(chr(number if number < 0xD800 else number + 0x800) for number in numbers)


def are_equal_by_value(answer: Any, demanded: Any) -> bool:
    """Compare numbers without kinds; an integer that reads as the float demanded is that float."""
    if type(answer) is type(demanded) is list:
        return len(answer) == len(demanded) and all(map(are_equal_by_value, answer, demanded))
    if type(answer) is type(demanded) is dict:
        return answer.keys() == demanded.keys() and all(
            are_equal_by_value(answer[key], demanded[key]) for key in demanded
        )
    if type(answer) is int and type(demanded) is float:
        try:
            # JSONB writes 1e23 out as an integer, of which the nearest float is 1e23.
            return float(answer) == demanded
        except OverflowError:
            return False
    return are_equal(answer, demanded, kinds_of_numbers=False)


def are_worded_alike(answer: Any, demanded: Any) -> bool:
    """Compare as written: NaN is not equal to itself."""
    return word(answer, limit=AS_A_WHOLE) == word(demanded, limit=AS_A_WHOLE)
