"""One rule for values and ids: a store that refuses is right, one that changes them is not.

Each row is one function, what a careless store does to a value or an id. Of it two stores are
made: one does it, and one refuses whatever it would have changed.
"""

from __future__ import annotations

import math
import unicodedata
from collections import UserDict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.interface import InvalidSessionIdError, UnstorableValueError
from sessionstore_contract.storage.elsewhere import NoStorage
from sessionstore_contract.verdict import Verdict

from ..mutants.correct import DictStore, Row
from ..mutants.defect import backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstore_contract.clause import Clause
    from sessionstore_contract.interface import Json

NUL = "values.nul-is-kept-or-refused"
SURROGATES = "values.surrogates-are-kept-or-refused"
NON_FINITE = "values.non-finite-is-kept-or-refused"
NO_JSON = "values.non-json-is-refused"
KINDS = "values.numbers-keep-their-kind"
DEEP = "values.deep-nesting"
EXACT = "identifiers.are-exact"


@dataclass(frozen=True)
class Habit:
    """What a careless store does."""

    name: str
    clause: str
    """The clause that says so."""
    change: Callable[[Any], Any]


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Change each key and each value that holds no others."""
    if type(value) is list:
        return [mapped(item, change) for item in value]
    if type(value) is dict:
        return {change(key): mapped(item, change) for key, item in value.items()}
    return change(value)


def in_texts(change: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: mapped(value, lambda one: change(one) if isinstance(one, str) else one)


def in_numbers(change: Callable[[float], Any]) -> Callable[[Any], Any]:
    numbers = (int, float)
    return lambda value: mapped(value, lambda one: change(one) if type(one) in numbers else one)


def cut_at_nul(text: str) -> str:
    return text.partition("\x00")[0]


def drop_surrogates(text: str) -> str:
    return text.encode(errors="ignore").decode()


def question_surrogates(text: str) -> str:
    return text.encode(errors="replace").decode()


def null_for_non_finite(number: float) -> float | None:
    return number if isinstance(number, int) or math.isfinite(number) else None


def zero_for_non_finite(number: float) -> float:
    return number if isinstance(number, int) or math.isfinite(number) else 0


def clip(number: float) -> float:
    return max(-(2**63), min(2**63 - 1, number)) if isinstance(number, int) else number


def float_beyond_53_bits(number: float) -> float:
    return float(number) if isinstance(number, int) and abs(number) > 2**53 else number


def text_of_times(value: Any) -> Any:
    return mapped(value, lambda one: str(one) if isinstance(one, datetime) else one)


def null_below(levels: int) -> Callable[[Any], Any]:
    def cut(value: Any, left: int) -> Any:
        if type(value) not in {list, dict}:
            return value
        if not left:
            return None
        if type(value) is list:
            return [cut(item, left - 1) for item in value]
        return {key: cut(item, left - 1) for key, item in value.items()}

    return lambda value: cut(value, levels)


VALUES = (
    Habit("cuts texts at NUL", NUL, in_texts(cut_at_nul)),
    Habit("drops NUL", NUL, in_texts(lambda text: text.replace("\x00", ""))),
    Habit("replaces NUL", NUL, in_texts(lambda text: text.replace("\x00", "\ufffd"))),
    Habit("drops surrogates", SURROGATES, in_texts(drop_surrogates)),
    Habit("replaces surrogates", SURROGATES, in_texts(question_surrogates)),
    Habit("keeps null for NaN", NON_FINITE, in_numbers(null_for_non_finite)),
    Habit("keeps 0 for NaN", NON_FINITE, in_numbers(zero_for_non_finite)),
    Habit("clips integers", KINDS, in_numbers(clip)),
    Habit("rounds integers", KINDS, in_numbers(float_beyond_53_bits)),
    Habit("keeps the text of a time", NO_JSON, text_of_times),
    Habit("cuts what is deep", DEEP, null_below(100)),
)

IDS = (
    Habit("cuts ids at 64", EXACT, lambda one: one[:64]),
    Habit("cuts ids at 255", EXACT, lambda one: one[:255]),
    Habit("cuts ids at NUL", EXACT, cut_at_nul),
    Habit("ignores case", EXACT, str.lower),
    Habit("strips ids", EXACT, str.strip),
    Habit("drops white space", EXACT, lambda one: "".join(one.split())),
    Habit("composes ids", EXACT, lambda one: unicodedata.normalize("NFC", one)),
    Habit("drops what is no ASCII", EXACT, lambda one: one.encode("ascii", "ignore").decode()),
    Habit("takes plus for space", EXACT, lambda one: one.replace("+", " ")),
)


def changing_values(change: Callable[[Any], Any]) -> type[DictStore]:
    class ChangesValues(DictStore):
        async def save(self, session_id: str, messages: list[Json]) -> None:
            await super().save(session_id, change(messages))

        async def update(
            self, session_id: str, *, cost_data: dict[str, Json] | None = None
        ) -> bool:
            return await super().update(session_id, cost_data=change(cost_data))

    return ChangesValues


def refusing_values(change: Callable[[Any], Any]) -> type[DictStore]:
    def refuse(value: Any) -> Any:
        # In words: NaN is not equal to itself.
        if repr(change(value)) != repr(value):
            raise UnstorableValueError("the value can't be kept")
        return value

    return changing_values(refuse)


def changing_ids(change: Callable[[str], str]) -> type[DictStore]:
    class Rows(UserDict[str, Row]):
        def __contains__(self, session_id: object) -> bool:
            return change(str(session_id)) in self.data

        def __getitem__(self, session_id: str) -> Row:
            return self.data[change(session_id)]

        def __setitem__(self, session_id: str, row: Row) -> None:
            self.data[change(session_id)] = row

        def __delitem__(self, session_id: str) -> None:
            del self.data[change(session_id)]

    class ChangesIds(DictStore):
        def __init__(self) -> None:
            super().__init__()
            self.rows = Rows()  # type: ignore[assignment]  # it does what a dict does here

    return ChangesIds


def refusing_ids(change: Callable[[str], str]) -> type[DictStore]:
    class RefusesIds(DictStore):
        def row(self, session_id: str) -> Row | None:
            if change(session_id) != session_id:
                raise InvalidSessionIdError(f"{session_id!r} is no id")
            return super().row(session_id)

    return RefusesIds


PAIRS = [
    *((one, changing_values(one.change), refusing_values(one.change)) for one in VALUES),
    *((one, changing_ids(one.change), refusing_ids(one.change)) for one in IDS),
]

every_pair = pytest.mark.parametrize(
    ("habit", "changing", "refusing"), PAIRS, ids=[habit.name for habit, _, _ in PAIRS]
)


WRITTEN = [
    clause
    for clause in CLAUSES
    if clause.area in {"messages", "cost", "values", "identifiers", "isolation"}
]
"""What is said of values and ids, and what writes them."""


def verdict(clause: Clause, store: type[DictStore]) -> Verdict:
    conditions = Conditions(seed=1, effort=EFFORTS["quick"])
    return try_clause(clause, backend(store), NoStorage(), conditions).verdict


def clause_of(habit: Habit) -> Clause:
    return next(clause for clause in CLAUSES if clause.id == habit.clause)


@every_pair
def test_who_refuses_is_right(habit: Habit, changing: type, refusing: type) -> None:
    """No clause accuses a store of refusing what it can't keep as it is."""
    verdicts = {clause.id: verdict(clause, refusing) for clause in WRITTEN}
    assert set(verdicts.values()) <= {Verdict.HELD, Verdict.NOT_APPLICABLE}, verdicts


@every_pair
def test_who_changes_is_not(habit: Habit, changing: type, refusing: type) -> None:
    """The clause of the habit accuses the store that keeps something else."""
    assert verdict(clause_of(habit), changing) is Verdict.VIOLATED


NOT_TO_BE_REFUSED = (
    Habit("floats", "values.numbers-are-exact", in_numbers(math.floor)),
    Habit("integers beyond 32 bits", "values.numbers-are-exact", in_numbers(lambda n: n % 2**32)),
    Habit("long texts", "messages.long-histories", in_texts(lambda text: text[:65_535])),
    Habit("the empty key", "cost.keys-are-opaque", in_texts(lambda text: text or "empty")),
)


@pytest.mark.parametrize("habit", NOT_TO_BE_REFUSED, ids=lambda habit: habit.name)
def test_what_json_is_made_of_is_not_to_be_refused(habit: Habit) -> None:
    """Ordinary texts and numbers are what sessions consist of: to refuse them is to keep none."""
    assert verdict(clause_of(habit), refusing_values(habit.change)) is Verdict.VIOLATED
