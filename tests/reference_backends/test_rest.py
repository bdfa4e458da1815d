"""How strictly JSON is read that came over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_backends import histories, rest

from .any_values import ANYTHING, drive, outcome

NAMES = st.sampled_from(["a", "b", ""])


def worded(value: Any) -> str:
    """Word a value as the stores do, however wrong it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Draw a text as the stores word it, in which names may come twice, at any depth."""
    members = draw(st.lists(st.tuples(NAMES, ANYTHING | st.just({}) | st.just([])), max_size=3))
    text = "{" + ",".join(f"{worded(name)}:{worded(value)}" for name, value in members) + "}"
    for _ in range(draw(st.integers(0, 2))):
        text = draw(st.sampled_from([f"[{text},1]", f'{{"outer":{text}}}']))
    return text


@given(text=texts())
def test_what_is_worded_as_ours_is_read_as_strictly(text: str) -> None:
    """The faster way answers the same, kinds included, or refuses in the same words."""
    body = text.encode(errors="surrogatepass")
    slow = json.JSONDecoder(
        parse_constant=rest._refuse_constant,
        parse_float=rest._finite,
        object_pairs_hook=rest._object,
    )
    expected = outcome(lambda: slow.decode(body.decode()))
    assert outcome(lambda: rest.read_json(body)) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histories, "GROUP", 1)  # as if it were long
        assert outcome(lambda: drive(rest.read_in_pieces(body))) == expected
