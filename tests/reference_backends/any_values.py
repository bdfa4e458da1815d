"""Values and texts of every kind, and what comes of reading them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Coroutine

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**63 - 2, max_value=2**65)
    | st.floats()
    | st.text()
    | st.characters(categories=["Cs", "Cc"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)
TEXTS = st.text(st.sampled_from('[]{}:,"\\ \n1eE+-.tfn\ufeffNaN\x00'), max_size=40)


def drive(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it without a loop: it gives up its turn, and waits for nothing."""
    while True:
        try:
            work.send(None)
        except StopIteration as ended:
            return ended.value


def outcome(answer: Any) -> str:
    try:
        return json.dumps(answer())
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
