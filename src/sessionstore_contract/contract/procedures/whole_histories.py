"""Saves of one session at once, and what is read beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...expect import expect_all_answered, violated
from ...subject import side_by_side
from ...values import are_equal
from .beginning import begin_with
from .clients import message, twelve_of

if TYPE_CHECKING:
    from ...history import Call, Step
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


async def save_beside_deletes(instances: list[Subject], sessions: int) -> None:
    """Save histories of sessions that are deleted at the same time, and read beside that."""
    store = instances[0]
    store.stand.history.restart()
    before, after = history_of(2, 0), history_of(3, 0)
    made = [await store.create() for _ in range(sessions)]
    for session in made:
        await begin_with(store, session, messages=before)
    calls: list[list[Call[Any]]] = []
    for number, session in enumerate(made):
        one, other = instances[number % len(instances)], instances[-1 - number % len(instances)]
        calls += [[one.save(session, after)], [other.delete(session)]]
        calls += [[reader.load(session) for _ in range(3)] for reader in (one, other, store)]
    sequences = await side_by_side(*calls, stagger=store.stand.random)
    expect_all_answered([step for steps in sequences for step in steps], "saves beside deletes")
    for number, session in enumerate(made):
        (save,), (delete,), *reads = sequences[number * 5 : number * 5 + 5]
        for step in (step for steps in reads for step in steps):
            _is_whole(step, [before, after, None], "a load beside a delete answers")
        may_be_left: list[list[Json] | None] = [after, None]
        if _follows(delete, save) or _follows(save, delete):
            may_be_left.remove(after if _follows(delete, save) else None)
        found = await store.load(session).perform(is_expected=True)
        _is_whole(found, may_be_left, "a save beside a delete leaves")


def _follows(step: Step, other: Step) -> bool:
    return other.ended is not None and step.began > other.ended


def _is_whole(step: Step, histories: list[list[Json] | None], what: str) -> None:
    step.require_answer()
    answer = step.answer_as_given
    if any(are_equal(answer, one) for one in histories):
        return
    if answer == []:
        said = "an empty history"
    elif answer is None:
        said = "nothing of what was saved after it"
    else:
        said = "a history that is not the last one"
    demanded = "None" if histories == [None] else "the saved history, or None where it is gone"
    violated(f"{what} {said}", demanded=demanded, answered=step.answered())


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
