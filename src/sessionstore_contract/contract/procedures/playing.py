"""A program played on a store, each answer held against the model's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import model
from ...capabilities import Capability
from ...expect import Violation, expect
from ...values import are_equal, word
from .programs import EVERY, FAR_AHEAD, NAMES, Instruction

if TYPE_CHECKING:
    from ...history import Call, Step
    from ...interface import Json
    from ...subject import Subject
    from .programs import Program

Deed = tuple[str, tuple[Any, ...], "Json"]
"""A call as the model takes it: operation, arguments, cost data."""

READS = frozenset({"load", "get_cost_data", "exists"})


async def play(program: Program, first: Subject, second: Subject | None = None) -> None:
    """Play a program on one instance, or on two of them."""
    await _empty_the_place(program, first)
    player = _Player(first)
    for instruction in program:
        store = second if second is not None and instruction.is_second else first
        await player.follow(instruction, store)


async def _empty_the_place(program: Program, store: Subject) -> None:
    """Make sure that what is counted is the program's own, not an earlier example's."""
    counts = any(one.operation == "delete_before" and one.value == FAR_AHEAD for one in program)
    if counts and store.can(Capability.RETENTION):
        await store.delete_before(FAR_AHEAD)
        store.stand.history.restart()


class _Player:
    """Plays one program, and knows by the model what has to be answered."""

    def __init__(self, store: Subject) -> None:
        self.state: model.State = {}
        self.ids = {name: store.unused_id() for name in NAMES}
        self.named: dict[str, None] = {}
        """The sessions that the program has named, in their order."""
        self.deeds: list[Deed] = []
        """The writes so far."""

    async def follow(self, instruction: Instruction, store: Subject) -> None:
        operation, value = instruction.operation, instruction.value
        lacking = {"get_cost_data": Capability.COST_READ, "delete_before": Capability.RETENTION}
        if operation in lacking and not store.can(lacking[operation]):
            return
        if operation == "reopen":
            await store.reopen()
        elif operation == "create anew":
            await self._create_anew(store, instruction.name)
        elif operation == "delete_before":
            await self._hold(store.delete_before(value), (operation, (value,), None))
        elif instruction.name == EVERY:
            for session in list(self.named):
                await self._call(store, operation, session, None)
        else:
            session = self.ids[instruction.name]
            self.named.setdefault(session)
            await self._call(store, operation, session, value)

    async def _create_anew(self, store: Subject, name: str) -> None:
        """Let the store make an id, and take it for the name from now on."""
        session = await expect(store.create()).to_be_a_new_id(self.state)
        self.ids[name] = session
        self.named.setdefault(session)
        self._take(("create", (session,), None))

    async def _call(self, store: Subject, operation: str, session: str, value: Json) -> None:
        match operation:
            case "save":
                await self._hold(store.save(session, value), (operation, (session, value), None))
            case "update":
                fields = {} if value is None else {"cost_data": value}
                await self._hold(store.update(session, **fields), (operation, (session,), value))
            case _:
                await self._hold(store.call(operation, session), (operation, (session,), None))

    def _take(self, deed: Deed) -> Any:
        """Let the model do what the store is asked for, and answer its answer."""
        self.state, answer = _done(self.state, deed)
        if deed[0] not in READS:
            self.deeds.append(deed)
        return answer

    async def _hold(self, call: Call[Any], deed: Deed) -> None:
        before = list(self.deeds)
        demanded = self._take(deed)
        try:
            if demanded is model.REFUSED:
                await expect(call).to_be_refused("")
            else:
                await expect(call).to_be(demanded)
        except Violation as violation:
            (step,) = call.history.steps[-1:]
            violation.headline = _headline(step, deed, before, demanded)
            raise


def _done(state: model.State, deed: Deed) -> tuple[model.State, Any]:
    operation, arguments, cost_data = deed
    return model.step(state, operation, *arguments, now=model.START, cost_data=cost_data)


def _headline(step: Step, deed: Deed, before: list[Deed], demanded: Any) -> str:
    """Say which write would explain the answer if it had not been made, or what came before."""
    operation = deed[0]
    writes = [one for one in before if _concerns(one, deed)]
    after = ", ".join(one[0] for one in writes[-3:])
    told = f"{operation} after {after}" if after else operation
    if step.outcome == "hung":
        return f"{told} does not answer in time"
    if step.outcome != "answered":
        return f"{told} {step.answered()}"
    is_taken = demanded is model.REFUSED
    for index in reversed(range(len(before))):
        without = before[:index] + before[index + 1 :]
        if not _concerns(before[index], deed) or (is_taken and len(writes) == 1):
            continue
        if are_equal(step.answer_as_given, _replay(without, deed)):
            return f"{operation} answers as if {_named(before, index)} had not been made"
    if is_taken:
        return f"create takes an id that exists, after {after}"
    return f"{told} answers {word(step.answer_as_given, limit=60)}, not {word(demanded, limit=60)}"


def _replay(deeds: list[Deed], last: Deed) -> Any:
    state: model.State = {}
    answer = None
    for deed in [*deeds, last]:
        state, answer = _done(state, deed)
    return answer


def _named(deeds: list[Deed], index: int) -> str:
    """Name a write, with the one before it on the same session."""
    earlier = [one for one in deeds[:index] if _concerns(one, deeds[index])]
    return f"the {deeds[index][0]}{f' after {earlier[-1][0]}' if earlier else ''}"


def _concerns(deed: Deed, other: Deed) -> bool:
    """Answer whether both are of one session, or one of them is of all."""
    return deed[1][0] == other[1][0] or "delete_before" in {deed[0], other[0]}
