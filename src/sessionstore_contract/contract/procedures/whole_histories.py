"""Saves of one session at once, and what is read beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...expect import expect_all_answered, violated
from ...subject import side_by_side
from ...values import are_equal
from .beginning import begin_with
from .clients import message, twelve_of

if TYPE_CHECKING:
    from ...history import Step
    from ...interface import Json
    from ...subject import Subject


async def save_beside_reads(
    instances: list[Subject],
    before: list[Json],
    histories: list[list[Json]],
    *,
    readers: int,
    often: int,
) -> None:
    """Save histories over another at once, and read beside that."""
    store = instances[0]
    store.stand.history.restart()
    session = await store.create()
    await begin_with(store, session, messages=before)
    saves = [
        [instances[writer % len(instances)].save(session, history)]
        for writer, history in enumerate(histories)
    ]
    reads = [[one.load(session) for _ in range(often)] for one in twelve_of(instances)[-readers:]]
    sequences = await side_by_side(*saves, *reads, stagger=store.stand.random)
    expect_all_answered([step for steps in sequences for step in steps], "saves at once")
    for steps in sequences[len(saves) :]:
        for step in steps:
            _is_a_history(step, [*histories, before], before)
    _is_a_history(await store.load(session).perform(is_expected=True), histories, before)


def history_of(writer: int, size: int) -> list[Json]:
    """Answer one to four messages of a writer, of so many characters and a few more."""
    count = writer % 4 + 1
    return [
        message(f"message {place} of {writer}{'.' * (size // count)}") for place in range(count)
    ]


def _is_a_history(step: Step, histories: list[list[Json]], before: list[Json]) -> None:
    step.require_answer()
    answer = step.answer_as_given
    if any(are_equal(answer, one) for one in histories):
        return
    if answer is None:
        headline = "saves at once lose the session"
    elif answer == []:
        headline = "saves at once leave an empty history"
    elif are_equal(answer, before):
        headline = "saves at once are all lost"
    else:
        headline = "saves at once leave a history that nobody saved"
    violated(headline, demanded="one of the saved histories", answered=step.answered())
