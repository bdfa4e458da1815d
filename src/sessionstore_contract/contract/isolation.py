"""What happens to one session, or to a value outside the store, stays there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must
from ..expect import expect, violated
from ..subject import at_once
from ..values import are_equal, copy, word
from .procedures.beginning import begin_with, make_sure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..history import Call
    from ..interface import Json
    from ..subject import Subject

ACTING = {"role": "user", "content": "acting"}
HOSTILE_PAIRS = (
    ("user-1", "user-10"),
    ("user_1", "userx1"),
    ("user%", "user-9"),
    ("user*", "user-9"),
    ("Case", "case"),
    ("a:b", "a"),
    ("a/b", "a"),
    ("victim?x=1", "victim"),
    ("trailing ", "trailing"),
)
"""Ids of which one, read as a prefix, a pattern, a path or without case, means the other too."""


@must(
    "isolation.operations-touch-one-session",
    "No operation on one session changes anything that can be observed of another.",
    because="Sessions belong to different people; an id that is read as a prefix or a pattern "
    "deletes somebody else's chat.",
    remedy="Compare ids for equality, as a bound parameter: no LIKE, no KEYS prefix*, no path "
    "joined from an id. MySQL: a binary collation. Or refuse such ids. What several sessions have "
    "in common and is kept once (by its hash) goes with the last of them, counted in the same "
    "transaction.",
    evidence=["py-key-value", "langgraph"],
)
async def operations_touch_one_session(store: Subject) -> None:
    other = store.unused_id("other")
    await store.create(other)
    await _act_beside(store, store.unused_id("acting"), other)
    for acting, other in HOSTILE_PAIRS:
        stem = store.unused_id("pair")
        made = await store.create(stem + other).perform(is_expected=False)
        if made.outcome != "raised":  # else it is refused, and nobody's
            await _act_beside(store, stem + acting, stem + other)
    await _act_beside_a_twin(store)


async def _act_beside(store: Subject, acting: str, other: str) -> None:
    messages = [{"role": "user", "content": "of the other"}]
    await begin_with(store, other, messages=messages, cost_data={"owner": "other"})
    calls = (
        store.create(acting),
        store.save(acting, [ACTING]),
        store.update(acting, cost_data={"owner": "acting"}),
        store.load(acting),
        store.save(acting, []),
        store.delete(acting),
        store.delete(acting),
    )
    await _leave_alone(store, other, messages, "other", calls)


async def _act_beside_a_twin(store: Subject) -> None:
    """Take away, beside a session that has the same, what may be kept once for both of them."""
    store.stand.history.restart()
    acting, twin = store.unused_id("acting"), store.unused_id("twin")
    await begin_with(store, twin, messages=[ACTING], cost_data={"owner": "acting"})
    writing: tuple[Call[Any], ...] = (
        store.save(acting, [ACTING]),
        store.update(acting, cost_data={"owner": "acting"}),
    )
    calls = (
        *writing,
        store.save(acting, []),
        store.update(acting, cost_data={"owner": None}),
        *writing,
        store.delete(acting),
    )
    await _leave_alone(store, twin, [ACTING], "acting", calls)


async def _leave_alone(
    store: Subject, other: str, messages: list[Any], owner: str, calls: Iterable[Call[Any]]
) -> None:
    """Demand that no call changes what this session holds."""
    for call in calls:
        # An id may be refused; whatever is answered, the other session must not show it.
        await call.perform(is_expected=True)
        await expect(store.load(other)).to_be(
            messages,
            rather_than={
                f"{call.operation} of one session deletes another": None,
                f"{call.operation} of one session empties another": [],
                f"{call.operation} of one session writes another": [ACTING],
            },
        )
        if store.can(Capability.COST_READ):
            await expect(store.get_cost_data(other)).to_be(
                {"owner": owner},
                rather_than={
                    f"{call.operation} of one session resets the costs of another": {},
                    f"{call.operation} of one session writes another": {"owner": "acting"},
                },
            )


@must(
    "isolation.arguments-stay-the-callers",
    "The store neither changes what it was handed nor follows later changes to it.",
    because="The server goes on building the very list that it saved; a store that keeps a "
    "reference has a history that nobody saved.",
    remedy="Encode the argument, or deepcopy it, before the first await.",
)
async def arguments_stay_the_callers(store: Subject) -> None:
    messages: list[Any] = [{"role": "user", "content": {"parts": ["one"]}}]
    cost_data: dict[str, Any] = {"usage": {"in": 1}, "turns": [1]}
    saved, spent = copy(messages), copy(cost_data)
    session = await store.create()
    # `save` and `update` of the subject hand copies over; these calls hand over the very objects.
    await store.call("save", session, messages)
    await store.call("update", session, cost_data=cost_data)
    _unchanged("save", messages, saved)
    _unchanged("update", cost_data, spent)

    messages[0]["content"]["parts"].append("later")
    messages.append({"role": "user", "content": "later"})
    cost_data["usage"]["in"] = 99
    cost_data["later"] = True
    await expect(store.load(session)).to_be(
        saved, rather_than={"the store follows later changes to saved messages": messages}
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(session)).to_be(
            spent,
            rather_than={
                "the store follows later changes to cost data": cost_data,
                "the store follows later changes to nested cost data": {
                    **spent,
                    "usage": {"in": 99},
                },
            },
        )


def _unchanged(operation: str, argument: Any, before: Any) -> None:
    if not are_equal(argument, before):
        violated(
            f"{operation} changes its argument", demanded=word(before), answered=word(argument)
        )


@must(
    "isolation.answers-are-copies",
    "Changing an answer changes nothing in the store, and no other answer.",
    because="The server appends the next turn to what it loaded, and may never save it.",
    remedy="Decode anew for each read, or deepcopy on the way out; a cache too.",
    evidence=["adk-python#7105", "langgraph#8835"],
)
async def answers_are_copies(store: Subject) -> None:
    messages = [{"role": "user", "content": {"parts": ["one"]}}]
    session = await store.create()
    await begin_with(store, session, messages=messages, cost_data={"usage": {"in": 1}})

    answer: Any = await make_sure(store.load(session), messages)
    answer[0]["content"]["parts"].append("changed")
    answer.append({"role": "user", "content": "changed"})
    await expect(store.load(session)).to_be(
        messages,
        rather_than={
            "load hands out what the store keeps": answer,
            "load hands out the messages that the store keeps": answer[:1],
        },
    )
    if store.can(Capability.COST_READ):
        spent: Any = await make_sure(store.get_cost_data(session), {"usage": {"in": 1}})
        spent["usage"]["in"] = 99
        spent["changed"] = True
        await expect(store.get_cost_data(session)).to_be(
            {"usage": {"in": 1}},
            rather_than={
                "get_cost_data hands out what the store keeps": spent,
                "get_cost_data hands out nested values that the store keeps": {"usage": {"in": 99}},
            },
        )
    await _loads_at_once_are_copies(store, session, messages)
    await _empty_answers_are_copies(store)


async def _loads_at_once_are_copies(store: Subject, session: str, messages: list[Any]) -> None:
    one, other = await at_once(store.load(session), store.load(session))
    for step in (one, other):
        step.require_answer()
    if one.answer:
        one.answer.append({"role": "user", "content": "changed"})
        one.answer[0]["content"] = "changed"
    if not are_equal(other.answer, other.answer_as_given):
        violated(
            "two loads at once hand out one list",
            demanded=word(messages),
            answered=word(other.answer),
        )


async def _empty_answers_are_copies(store: Subject) -> None:
    """Change what says that there is nothing: of a session, and of one that is missing."""
    changed = {"role": "user", "content": "changed"}
    created, later = await store.create(), await store.create()
    (await make_sure(store.load(created), [])).append(changed)
    for session in (created, later):
        await expect(store.load(session)).to_be(
            [], rather_than={"load hands out one empty list to all": [changed]}
        )
    if store.can(Capability.COST_READ):
        missing = store.unused_id()
        for changing, session in ((created, created), (missing, later), (created, missing)):
            (await make_sure(store.get_cost_data(changing), {}))["changed"] = True
            await expect(store.get_cost_data(session)).to_be(
                {},
                rather_than={"get_cost_data hands out one empty object to all": {"changed": True}},
            )


@must(
    "isolation.places-are-apart",
    "A store on another place sees none of the sessions of the first, and changes none.",
    because="One process serves two customers, or moves sessions from one database to the next; a "
    "cache that the class keeps shows one of them the chats of the other.",
    remedy="Keep caches, locks and what is known of ids in the instance, or by place and id. Open "
    "the place that was handed over, not one of your own settings.",
    needs={Capability.SHARED},
    places=2,
)
async def places_are_apart(store: Subject) -> None:
    session = store.unused_id("same")
    messages = [{"role": "user", "content": "on the first place"}]
    await begin_with(store, session, messages=messages, cost_data={"owner": "first"})
    await make_sure(store.exists(session), answer=True)
    other = await store.on_fresh_place()
    if other.place == store.place:
        return  # one place for all, as the verdict says
    await _knows_nothing(other, session, messages)
    for call in (
        other.save(session, [ACTING]),
        other.update(session, cost_data={"owner": "second"}),
        other.delete(session),
    ):
        await call.perform(is_expected=True)
        await _stands(store, session, messages)


async def _knows_nothing(other: Subject, session: str, messages: list[Any]) -> None:
    """Demand that a session of the first place is missing on the other."""
    headline = "a store on another place {} a session of the first"
    await expect(other.load(session)).to_be(None, rather_than={headline.format("loads"): messages})
    await expect(other.exists(session)).to_be(False, rather_than={headline.format("sees"): True})
    if other.can(Capability.COST_READ):
        await expect(other.get_cost_data(session)).to_be(
            {}, rather_than={headline.format("reads the costs of"): {"owner": "first"}}
        )
    await expect(other.update(session, cost_data={"owner": "second"})).to_be(False)
    await expect(other.delete(session)).to_be(False)


async def _stands(store: Subject, session: str, messages: list[Any]) -> None:
    """Demand that the session of the first place is as it was."""
    demanded: list[tuple[Call[Any], Json]] = [(store.load(session), messages)]
    if store.can(Capability.COST_READ):
        demanded.append((store.get_cost_data(session), {"owner": "first"}))
    for call, right in demanded:
        step = await call.perform(is_expected=True)
        step.require_answer()
        if not are_equal(step.answer_as_given, right):
            violated(
                "a store on another place changes a session of the first",
                demanded=word(right),
                answered=step.answered(),
            )
