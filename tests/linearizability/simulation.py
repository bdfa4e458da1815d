"""Random histories whose verdict is known: a serial execution, with a window around each step.

The operations are taken one after the other by the model, each at an instant of its own, and given
to clients at random. A client's call begins after its call before has come back, and ends after
its instant: so the serial order explains the history, whatever the windows. A planted defect makes
one answer, or one effect, another; whether that can be seen is for somebody else to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sessionstore_contract import model
from sessionstore_contract.linearizability import Operation, Outcome
from sessionstore_contract.model import REFUSED, START

if TYPE_CHECKING:
    from random import Random

WHOLE: dict[str, float] = {
    "create": 1,
    "save": 3,
    "load": 3,
    "update": 3,
    "get_cost_data": 3,
    "exists": 1,
    "delete": 1,
    "delete_before": 0.5,
}
"""How often each operation of the interface is drawn."""
WITHOUT_DELETE: dict[str, float] = {
    "save": 2,
    "load": 3,
    "update": 3,
    "get_cost_data": 3,
    "exists": 1,
}

DEFECTS = (
    "lost update",
    "stale read",
    "torn update",
    "resurrected session",
    "True after delete",
    "reset cost data",
    "two creates win",
    "another answer",
)


@dataclass
class Simulation:
    """How the histories are drawn."""

    random: Random
    clients: int = 4
    mix: dict[str, float] = field(default_factory=lambda: WHOLE)
    keys: int = 3
    unknown: float = 0.0
    """The share of writes whose outcome is unknown; every second of them took no effect."""
    values: int | None = None
    """How many different values are written; without a number each write has its own."""
    defect: str | None = None
    is_planted: bool = False

    def history(self, size: int) -> list[Operation]:
        """Draw a history of so many operations; a defect is planted in its second half."""
        self.states: list[model.State] = [{}]
        self.is_planted = False
        names, weights = list(self.mix), list(self.mix.values())
        operations = []
        for number in range(size):
            drawn = self.random.choices(names, weights)[0]
            operation = "create" if number == 0 and self.random.random() < 0.8 else drawn
            operations.append(self._take(number, operation, may_plant=number >= size // 2))
        return self._in_windows(operations)

    def _take(self, number: int, operation: str, *, may_plant: bool) -> Operation:
        argument = self._argument(operation, number)
        is_write = operation not in {"load", "get_cost_data", "exists"}
        outcome = Outcome.OK
        if is_write and self.random.random() < self.unknown:
            outcome = self.random.choice([Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.FAILED])
        state = self.states[-1]
        after, answer = self._step(state, operation, argument)
        if outcome is Outcome.FAILED or (outcome is Outcome.UNKNOWN and self.random.random() < 0.5):
            after = state
        if may_plant and not self.is_planted and outcome is Outcome.OK:
            after, answer = self._plant(state, operation, argument, after, answer)
        self.states.append(after)
        shown = answer if outcome is Outcome.OK else None
        return Operation(number, operation, argument, shown, outcome, 0, 0)

    def _argument(self, operation: str, number: int) -> Any:
        value = number if self.values is None else self.random.randrange(self.values)
        if operation == "save":
            return [] if self.random.random() < 0.05 else [{"content": value}]
        if operation == "update":
            count = self.random.choice([0, 1, 1, 1, 2, 2])
            chosen = self.random.sample(range(self.keys), min(count, self.keys))
            return {f"k{key}": value for key in chosen} or None
        return None

    def _step(self, state: model.State, operation: str, argument: Any) -> tuple[model.State, Any]:
        match operation:
            case "save":
                return model.step(state, operation, "s", argument, now=START)
            case "update":
                return model.step(state, operation, "s", cost_data=argument, now=START)
            case "delete_before":
                old = START + timedelta(self.random.randrange(2))
                return model.step(state, operation, old, now=START)
        return model.step(state, operation, "s", now=START)

    def _plant(
        self, state: model.State, operation: str, argument: Any, after: model.State, answer: Any
    ) -> tuple[model.State, Any]:
        """Make the step wrong, where the defect fits it."""
        wrong = after, answer
        earlier = self.random.choice(self.states)
        match self.defect, operation:
            case "lost update", "update":
                wrong = state, answer
            case "stale read", ("load" | "get_cost_data" | "exists"):
                wrong = after, self._step(earlier, operation, argument)[1]
            case "torn update", "get_cost_data" if answer:
                before = self._step(earlier, operation, argument)[1]
                key = self.random.choice(sorted(answer))
                wrong = after, {k: v for k, v in {**answer, key: before.get(key)}.items() if v}
            case "resurrected session", "delete":
                wrong = state, answer
            case "True after delete", "update" if answer is False:
                wrong = after, True
            case "reset cost data", "save" if state:
                wrong = {"s": replace(after["s"], cost_data={})}, answer
            case "two creates win", "create" if answer is REFUSED:
                wrong = {"s": model.Session(START)}, "s"
            case "another answer", ("update" | "delete" | "exists"):
                wrong = after, not answer
        self.is_planted = wrong != (after, answer)
        return wrong

    def _in_windows(self, operations: list[Operation]) -> list[Operation]:
        """Give each operation a client, and a window around its instant."""
        instants: list[list[int]] = [[] for _ in range(self.clients)]
        windows: list[list[float]] = [[0.0, 0.0] for _ in operations]
        for instant, one in enumerate(operations):
            # What is unknown has no client that waits for it.
            is_alone = one.outcome is Outcome.UNKNOWN
            mine: list[int] = [] if is_alone else self.random.choice(instants)
            since = mine[-1] if mine else max(-1, instant - 2 * self.clients)
            end = since + (instant - since) * self.random.random()
            if mine:
                windows[since][1] = end
            windows[instant][0] = end + (instant - end) * 0.1 * self.random.random()
            mine.append(instant)
        for mine in instants:
            if mine:
                windows[mine[-1]][1] = mine[-1] + 2 * self.clients * self.random.random() + 0.1
        edges = sorted(
            (moment, side, number)
            for number, window in enumerate(windows)
            for side, moment in enumerate(window)
        )
        ranks = {(number, side): rank for rank, (_, side, number) in enumerate(edges, 1)}
        return sorted(
            (
                replace(
                    one,
                    began=ranks[one.id, 0],
                    ended=None if one.outcome is Outcome.UNKNOWN else ranks[one.id, 1],
                )
                for one in operations
            ),
            key=lambda one: one.began,
        )
