"""A store that keeps nothing, and says so: what serves a chat that nobody asked to remember."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..clause import Scope, must
from ..expect import expect

if TYPE_CHECKING:
    from ..subject import Subject


@must(
    "ephemeral.create-answers-an-id",
    "`create` answers the id it was given, or a fresh one.",
    because="The server puts the id into its answer whether anything is kept or not.",
    remedy="Answer the argument, or `uuid.uuid4().hex` without one.",
    scope=Scope.EPHEMERAL,
    evidence=["seed"],
)
async def create_answers_an_id(store: Subject) -> None:
    given = store.unused_id("given")
    await expect(store.create(given)).to_be(given)
    first = await expect(store.create()).to_satisfy("a text that is not empty", _is_id)
    await expect(store.create()).to_satisfy(
        "an id that was not given before", lambda second: _is_id(second) and second != first
    )


def _is_id(answer: object) -> bool:
    return isinstance(answer, str) and bool(answer)


@must(
    "ephemeral.keeps-nothing",
    "After any writes `load` answers None, `exists`, `update` and `delete` False, `get_cost_data` "
    "{}, `delete_before` 0, and nothing raises.",
    because="A chat works without storage; a store that half remembers, or raises, breaks it.",
    remedy="Answer these constants. A store that keeps sessions claims persistence.",
    scope=Scope.EPHEMERAL,
    evidence=["seed"],
)
async def keeps_nothing(store: Subject) -> None:
    session = store.unused_id()
    await store.create(session)
    await expect(store.save(session, [{"role": "user", "content": "hi"}])).to_succeed()
    await expect(store.update(session, cost_data={"turns": 1})).to_be(
        False, rather_than={"update says that it stored what is not kept": True}
    )
    await expect(store.update(session)).to_be(False)
    await expect(store.load(session)).to_be(
        None, rather_than={"load answers an empty session for one that is not kept": []}
    )
    await expect(store.exists(session)).to_be(False)
    await expect(store.get_cost_data(session)).to_be({})
    await expect(store.delete(session)).to_be(False)
    await expect(store.delete_before(datetime.now(UTC) + timedelta(days=1))).to_be(0)
