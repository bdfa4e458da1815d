"""What a store may say of a call that fails, and where the kit can't make one fail."""

from __future__ import annotations

import json
import logging
import random
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import Backend
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.contract.procedures.contents import Contents
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.interface import SessionStoreError, UnstorableValueError
from sessionstore_contract.storage.elsewhere import NamedPlace
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Verdict

from ..mutants.correct import DictStore, RowsStore
from ..mutants.defect import backend
from ..places import in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json
    from sessionstore_contract.storage import Storage
    from sessionstore_contract.verdict import Finding

(CLAUSE,) = (one for one in CLAUSES if one.id == "security.contents-stay-out-of-errors")
LOG = logging.getLogger(__name__)


@pytest.fixture(autouse=True)
def quick_places() -> Iterator[None]:
    with in_memory():
        yield


def tried(made: Backend, storage: Storage | None = None) -> Finding:
    return try_clause(CLAUSE, made, storage or FileStorage(), Conditions(1, EFFORTS["quick"]))


class TellsWhatIsWrong(DictStore):
    """Tells the session, the key, and the value that can't be stored."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError:
            found = messages[-1]["content"]
            raise UnstorableValueError(f"{session_id}: messages[1].content is {found!r}") from None

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        try:
            return await super().update(session_id, cost_data=cost_data)
        except UnstorableValueError:
            keys, found = list(cost_data or {}), (cost_data or {})["bad"]
            raise UnstorableValueError(f"{session_id}: {keys}: bad is {found!r}") from None


class LogsForThoseWhoAsk(DictStore):
    """Says all of it at the levels that somebody has to ask for."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        LOG.debug("%s: %r", session_id, messages)
        LOG.info("%s: %r", session_id, messages)
        await super().save(session_id, messages)


class LogsWhatTheEncoderRaises(DictStore):
    """Has no error of its own: the encoder's has the whole text in its arguments."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            json.dumps(messages, ensure_ascii=False).encode()
        except (TypeError, ValueError):
            LOG.exception("%s was not saved", session_id)
            raise
        await super().save(session_id, messages)


class KeepsTheDriversError(RowsStore):
    """Holds in a member of its exception what quotes the row; nothing prints that."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except sqlite3.Error as error:
            failure = SessionStoreError(f"{session_id} was not saved")
            failure.detail = f"{error}: {messages}"  # type: ignore[attr-defined]
            raise failure from None


@pytest.mark.parametrize(
    "store",
    [
        TellsWhatIsWrong,
        LogsForThoseWhoAsk,
        LogsWhatTheEncoderRaises,
        KeepsTheDriversError,
    ],
    ids=lambda store: store.__name__,
)
def test_a_store_may_say_what_went_wrong(store: Any) -> None:
    """Its own words, the session's id, a key, the value that is wrong, and what nobody prints."""
    found = tried(backend(store))
    assert (found.verdict, found.headline) == (Verdict.HELD, None)


def test_what_has_failed_is_told() -> None:
    """Of a store that can't be made to fail much, little is known."""
    found = tried(backend(RowsStore))
    assert found.reason == (
        "calls that failed: 12 beside a value that can't be stored; 1 of an id that is taken; "
        "4 where a constraint refuses the row; 6 where nothing can be written"
    )


def test_the_tables_of_others_are_left_alone(tmp_path: Any) -> None:
    """At a place that somebody has named the kit changes no table."""
    place = str(tmp_path / "theirs.db")
    found = tried(Backend("theirs", open=RowsStore, storage=place), NamedPlace(place))
    assert found.verdict is Verdict.HELD
    assert "where a constraint refuses the row" not in str(found.reason)


def test_words_are_met_nowhere_else() -> None:
    """They are drawn, and short enough to be in what a database quotes of a row."""
    one, two = (Contents.drawn(random.Random(seed)) for seed in (1, 2))
    assert len({one.said, one.noted, two.said, two.noted}) == 4
    assert str(one.messages()).find(one.said) + len(one.said) < 64
    assert one.found_in(str(one.messages())) == ("the text of a message", 30)
    assert one.found_in(str(one.costs())) == ("a value of cost data", 10)
    assert one.found_in(str(two.messages())) is None
