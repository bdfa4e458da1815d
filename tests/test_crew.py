"""The order in which the workers of a run begin the clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.crew import Task, lines

if TYPE_CHECKING:
    import queue

    from sessionstore_contract.crew import Line

WAITS = "faults.operations-are-bounded"
TASKS = [Task(clause) for clause in CLAUSES]


def taken(line: Line) -> list[str]:
    """Take all that a worker would, were it alone, and answer the clauses."""
    return [left.get_nowait().clause.id for left in line for _ in range(left.qsize())]


def test_what_waits_is_begun_first_and_then_what_takes_long() -> None:
    """Begun last, it would keep a run from its end with nothing else to do."""
    (line,) = lines(TASKS, workers=1)
    order = taken(line)
    assert len(order) == len(CLAUSES)
    assert order[0] == WAITS
    for takes_long in (
        "sequence.follows-the-model",
        "durability.server-crash",
        "migration.is-idempotent",
    ):
        assert order.index(takes_long) < order.index("interface.has-every-operation")


def test_what_waits_keeps_none_of_several_workers_from_the_rest() -> None:
    """One more does that and nothing else; with nothing else left the others do it too."""
    first, _, _ = lines(TASKS, workers=2)
    order = taken(first)
    assert order[-1] == WAITS
    assert len(order) == len(CLAUSES)
    first, _, one_more = lines(TASKS, workers=2)
    assert taken(one_more) == [WAITS]
    assert WAITS not in taken(first)


def test_each_of_several_workers_begins_with_another_kind() -> None:
    """One imports hypothesis, one has a process ready to be forked; all take what others leave."""
    drawing, starting, plain, _ = lines(TASKS, workers=3)
    assert {len(line) for line in (drawing, starting, plain)} == {4}
    assert {frozenset(map(id, line)) for line in (drawing, starting, plain)} == {
        frozenset(map(id, drawing))
    }
    assert {one.clause.examples is not None for one in _all(drawing[0])} == {True}
    begun_first = [one.clause.id for one in _all(starting[0])]
    assert "durability.server-crash" in begun_first
    assert "sharing.first-use-may-be-concurrent" in begun_first
    assert taken(plain)[0] == "interface.has-every-operation"


def _all(tasks: queue.SimpleQueue[Task]) -> list[Task]:
    return [tasks.get_nowait() for _ in range(tasks.qsize())]


def test_there_are_no_more_workers_than_there_is_to_try() -> None:
    """One that waits for nothing is not started, and where nothing waits there is no other."""
    (prompt,) = (task for task in TASKS if task.clause.id == "interface.has-every-operation")
    assert len(lines([prompt], workers=2)) == 1
    assert len(lines([prompt, prompt, prompt], workers=2)) == 2
    (waits,) = (task for task in TASKS if task.clause.id == WAITS)
    assert len(lines([waits], workers=2)) == 1
