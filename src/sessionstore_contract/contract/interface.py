"""The shape of a store: its operations, how they are called, and the types they answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .. import tables
from ..capabilities import Capability
from ..clause import Scope, must
from ..expect import expect, violated
from ..history import OPERATIONS, NotAwaitableError
from ..values import kind

if TYPE_CHECKING:
    from ..history import Call, Step
    from ..subject import Subject

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _one_of_each(store: Subject, session: str) -> list[Call[Any]]:
    return [
        store.create(),
        store.save(session, [{"role": "user", "content": "hi"}]),
        store.load(session),
        store.update(session, cost_data={"turns": 1}),
        store.get_cost_data(session),
        store.exists(session),
        store.delete(session),
        store.delete_before(LONG_AGO),
        store.close(),
    ]


@must(
    "interface.has-every-operation",
    "The store has `create`, `load`, `save`, `update`, `get_cost_data`, `delete`, `exists`, "
    "`delete_before` and `close`, and a call of each is awaited.",
    because="A server awaits every operation; one that is missing, or answers at once, fails in "
    "the middle of a chat.",
    remedy="Write each operation as `async def`. What the storage can't do raises "
    "NotImplementedError.",
    scope=Scope.ANY,
)
async def has_every_operation(store: Subject) -> None:
    for operation in OPERATIONS:
        if not callable(getattr(store.store, operation, None)):
            violated(
                f"the store has no {operation}",
                demanded="a method of that name",
                answered=f"{type(store.store).__name__} has none",
            )
    for call in _one_of_each(store, store.unused_id()):
        step = await call.perform(is_expected=True)
        if isinstance(step.error, NotAwaitableError):
            violated(
                f"{step.operation} is not awaited: make it `async def`",
                demanded="an awaitable",
                answered=step.answered(),
            )


@must(
    "interface.update-is-keyword-only",
    "`update` takes `cost_data` by keyword only, and may be called without it.",
    because="Fields will be added to `update`. Callers that pass by position would then write "
    "into the wrong one.",
    remedy="`async def update(self, session_id: str, *, cost_data: dict | None = None) -> bool`.",
    scope=Scope.ANY,
    evidence=["seed"],
)
async def update_is_keyword_only(store: Subject) -> None:
    missing = store.unused_id("missing")
    step = await store.update(missing).perform(is_expected=True)
    if isinstance(step.error, TypeError):
        violated("update needs cost_data", demanded="a default", answered=step.answered())
    step.require_answer()

    step = await store.call("update", missing, {"turns": 1}).perform(is_expected=True)
    if step.outcome == "answered":
        violated(
            "update takes cost_data by position",
            demanded="TypeError",
            answered=step.answered(),
        )


@must(
    "interface.accepts-the-declared-parameters",
    "Every operation accepts the parameters of the interface by the names of the interface.",
    because="Callers are written against the interface and name what they pass; a store whose "
    "names have drifted can't take another's place.",
    remedy="Name the parameters session_id, messages, cost_data and cutoff.",
    scope=Scope.ANY,
    evidence=["origin"],
)
async def accepts_the_declared_parameters(store: Subject) -> None:
    session, messages = store.unused_id(), [{"role": "user", "content": "hi"}]
    named = {"session_id": session}
    for operation, parameters in (
        ("create", named),
        ("save", {**named, "messages": messages}),
        ("load", named),
        ("update", {**named, "cost_data": {"turns": 1}}),
        ("get_cost_data", named),
        ("exists", named),
        ("delete", named),
        ("delete_before", {"cutoff": LONG_AGO}),
    ):
        step = await store.call(operation, **parameters).perform(is_expected=True)
        if isinstance(step.error, TypeError) and not isinstance(step.error, NotAwaitableError):
            violated(
                f"{operation} does not take {' and '.join(parameters)} by name",
                demanded=f"{operation}({', '.join(f'{name}=...' for name in parameters)})",
                answered=step.answered(),
            )


@must(
    "interface.answers-have-the-declared-type",
    "Answers have the declared type, not its truth value alone: `bool`, `int`, `list`, `dict`, "
    "`str`, None.",
    because="Answers are compared with `is True`, sent as JSON and added up; a 1, a row or a "
    "driver's status line is none of that.",
    remedy="Convert at the edge of the store: `bool(...)`, the affected row count as `int`, None "
    "after a write.",
    scope=Scope.ANY,
)
async def answers_have_the_declared_type(store: Subject) -> None:
    session = await _answers(store.create(), "text")
    missing = store.unused_id("missing")
    await _answers(store.save(session, [{"role": "user", "content": "hi"}]), "null")
    await _answers(store.load(session), "array", "null")
    await _answers(store.load(missing), "null", "array")
    await _answers(store.update(session, cost_data={"turns": 1}), "boolean")
    await _answers(store.update(session), "boolean")
    await _answers(store.update(missing, cost_data={"turns": 1}), "boolean")
    if store.can(Capability.COST_READ):
        await _answers(store.get_cost_data(session), "object")
        await _answers(store.get_cost_data(missing), "object")
    await _answers(store.exists(session), "boolean")
    await _answers(store.exists(missing), "boolean")
    if store.can(Capability.RETENTION):
        await _answers(store.delete_before(LONG_AGO), "integer")
    await _answers(store.delete(session), "boolean")
    await _answers(store.delete(missing), "boolean")
    await _answers(store.close(), "null")


async def _answers(call: Call[Any], *kinds: str) -> Any:
    step = await call.perform(is_expected=False)
    step.require_answer()
    if kind(step.answer) not in kinds:
        violated(
            f"{step.operation} answers {kind(step.answer)}, not {' or '.join(kinds)}",
            demanded=" or ".join(kinds),
            answered=step.answered(),
        )
    return step.answer


@must(
    "interface.unsupported-is-said",
    "An operation whose capability is not claimed raises NotImplementedError; it does not pretend "
    "to have worked.",
    because="A housekeeping job that is told 0, or a server that is told {}, goes on for months "
    "as if all were well.",
    remedy="`raise NotImplementedError` in get_cost_data without cost-read, and in delete_before "
    "without retention; or make them work and claim it.",
    evidence=["origin"],
    moot_with={Capability.COST_READ, Capability.RETENTION},
)
async def unsupported_is_said(store: Subject) -> None:
    session = await store.create()
    await store.update(session, cost_data={"turns": 1})
    if not store.can(Capability.COST_READ):
        step = await store.get_cost_data(session).perform(is_expected=True)
        if step.outcome == "answered" and step.answer == {"turns": 1}:
            store.stand.note("works but is not claimed: cost-read")
        else:
            _refused_as_unsupported(step)
    if not store.can(Capability.RETENTION):
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        step = await store.delete_before(tomorrow).perform(is_expected=True)
        if step.outcome == "answered" and not await store.exists(session):
            store.stand.note("works but is not claimed: retention")
        else:
            _refused_as_unsupported(step)


def _refused_as_unsupported(step: Step) -> None:
    if not isinstance(step.error, NotImplementedError):
        is_pretence = step.outcome == "answered"
        violated(
            f"{step.operation} pretends to work"
            if is_pretence
            else f"{step.operation} is not claimed, and does not say so with NotImplementedError",
            demanded="NotImplementedError, as its capability is not claimed",
            answered=step.answered(),
        )


@must(
    "interface.claims-are-true",
    "A capability that is claimed is there.",
    because="Operators choose a store by what it claims; a claim that nobody tried is worth "
    "nothing.",
    remedy="Implement it, or take the capability out of the backend's claims (`--without`).",
    scope=Scope.ANY,
    evidence=["langgraph#8722"],
)
async def claims_are_true(store: Subject) -> None:
    session = await store.create()
    await store.save(session, [{"role": "user", "content": "hi"}])
    if store.can(Capability.PERSISTENCE):
        await expect(store.exists(session)).to_be(
            True, rather_than={"persistence is claimed, and nothing is kept": False}
        )
    elif await store.exists(session):
        store.stand.note("works but is not claimed: persistence")
    if store.can(Capability.COST_READ):
        await store.update(session, cost_data={"turns": 1})
        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1}, rather_than={"cost-read is claimed, and nothing is read": {}}
        )
    if store.can(Capability.RETENTION):
        await expect(store.delete_before(LONG_AGO)).to_succeed()
    if store.can(Capability.REFERENCE_LAYOUT) and store.place is not None:
        await _expect_the_table(store.place)
    if store.can(Capability.SHARED):
        other = await store.another()
        await expect(other.exists(session)).to_be(
            True, rather_than={"shared is claimed, and another instance sees nothing": False}
        )
    if store.can(Capability.DURABLE):
        await store.close()
        later = await store.another()
        await expect(later.exists(session)).to_be(
            True, rather_than={"durable is claimed, and nothing outlives the instance": False}
        )


async def _expect_the_table(place: str) -> None:
    demanded = {"session_id", "messages"}
    found = await tables.columns(place, "sessions")
    if not demanded <= set(found):
        violated(
            "reference-layout is claimed, and sessions are not in the table `sessions`",
            demanded=f"its columns {' and '.join(sorted(demanded))}",
            answered=f"its columns {', '.join(found)}" if found else "there is no such table",
        )
