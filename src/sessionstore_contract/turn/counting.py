"""Every turn is added up on its session, once, whichever way it is answered."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..expect import expect
from .asking import WITHOUT, WORD_OF_THE_CLIENT
from .clauses import must
from .script import Script, Usage
from .service import MODEL
from .stores import WRITES, KitStore
from .sums import FIRST, SECOND, THIRD, expect_complete, expect_totals, total
from .system import TOTALS, Ability
from .workshop import open_by_default, open_on, ways

if TYPE_CHECKING:
    from ..interface import Json
    from ..subject import Subject

SESSION = "chat"


@must(
    "turn.usage-is-accumulated",
    "After n turns, input, output (and cached) tokens and the turn count are the sums over the "
    "turns; the model is the last one.",
    because="The totals are what the session is billed by.",
    remedy="Read the totals, add, write them back under `input_tokens`, `output_tokens`, "
    "`cached_tokens`, `turn_count` and `model`, before the server has ended.",
    evidence=["seed"],
)
async def usage_is_accumulated(subject: Subject) -> None:
    for is_streamed in ways(subject):
        await _hold_the_sums(subject, is_streamed=is_streamed)
        await _count_the_same_prompt_again(subject, is_streamed=is_streamed)


async def _hold_the_sums(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    for usage, model in ((FIRST, "model-a"), (SECOND, "model-a"), (THIRD, "model-b")):
        turn = service.turn(SESSION, usage, model=model, stream=is_streamed)
        await expect_complete(turn, "with a store that works")
    await service.shut_down()

    right = total(FIRST, SECOND, THIRD, model="model-b")
    await expect_totals(
        service,
        SESSION,
        right,
        rather_than={
            "nothing is counted": {},
            "each turn replaces the totals": total(THIRD, model="model-b"),
            "the figures of each turn replace the sums": total(THIRD, model="model-b", count=3),
            "the model is that of the first turn": total(FIRST, SECOND, THIRD),
            "the model is the word of the client": {**right, "model": WORD_OF_THE_CLIENT},
            "each turn is counted twice": total(
                FIRST, SECOND, THIRD, FIRST, SECOND, THIRD, model="model-b"
            ),
            "the last turn is not counted": total(FIRST, SECOND),
            "cached tokens are added to the input": {**right, "input_tokens": 1637},
        },
        names=tuple(name for name in TOTALS if name != "cached_tokens"),
        judges_all=True,
    )
    await expect_totals(
        service,
        SESSION,
        right,
        rather_than={"cached tokens are not counted": {**right, "cached_tokens": 0}},
        names=("cached_tokens",),
        judges_all=True,
    )


async def _count_the_same_prompt_again(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    script = Script(FIRST, MODEL)
    for _ in range(2):
        turn = service.scripted_turn(SESSION, script, stream=is_streamed)
        await expect_complete(turn, "with a store that works")
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(FIRST, FIRST),
        rather_than={"a prompt that is asked again is not counted": total(FIRST)},
    )


@must(
    "turn.streaming-counts-the-same",
    "A streamed turn is counted like the same turn unstreamed, once.",
    because="Usage comes in the last chunk of a stream, which is read by few, and some providers "
    "report it on the way as well.",
    remedy="Count at the end of the agent's answer, in one place for both ways, whether or not the "
    "client wants to be told (`include_usage`). Usage that is "
    "reported on the way replaces what was known; it is not added to it.",
    asks={Ability.CHAT},
    evidence=["seed", "litellm#36168", "pydantic-ai#2918"],
)
async def streaming_counts_the_same(subject: Subject) -> None:
    store = KitStore()
    service = await open_on(subject, store)
    half = Usage(100, 3, 30)
    unasked: dict[str, Json] = {"stream_options": WITHOUT}
    for session, known, body in (
        ("unstreamed", (), None),
        ("streamed", (), None),
        ("streamed-without-include_usage", (), unasked),
        ("in-parts", (half,), None),
    ):
        is_streamed = session != "unstreamed"
        store.put(session)
        turn = service.turn(session, FIRST, stream=is_streamed, known=known, body=body)
        await expect_complete(turn, "with a store that works")
    await service.shut_down()

    for session in ("unstreamed", "streamed", "streamed-without-include_usage", "in-parts"):
        twice = {**total(FIRST, FIRST), "turn_count": 1}
        await expect_totals(
            service,
            session,
            total(FIRST),
            rather_than={
                f"a turn that is {session} is not counted": {},
                f"a turn that is {session} is counted twice": total(FIRST, FIRST),
                f"the tokens of a turn that is {session} are added twice": twice,
                "usage on the way is added to that of the whole": total(half, FIRST, count=1),
                "usage on the way is counted as a turn": total(half, FIRST),
            },
        )


@must(
    "turn.no-session-no-write",
    "A request without a session writes nothing.",
    because="Whoever asks without a session expects nothing of it to be kept.",
    remedy="Look for the session id before the store is called.",
    asks={Ability.CHAT},
    evidence=["seed"],
)
async def no_session_no_write(subject: Subject) -> None:
    store = KitStore()
    service = await open_on(subject, store)
    for is_streamed in (False, True):
        await expect_complete(
            service.turn(None, FIRST, stream=is_streamed), "without a session in the request"
        )
    await service.shut_down()
    await expect(service.seen("writes", partial(_writes, store))).to_be(
        [],
        rather_than={
            "a session is made for a request without one": ["create", "create"],
            "a history is saved without a session": ["save", "save"],
            "usage is written without a session": ["update", "update"],
        },
    )
    await _take_null_for_none(subject)


async def _take_null_for_none(subject: Subject) -> None:
    store = KitStore()
    service = await open_on(subject, store)
    for is_streamed in (False, True):
        # It may be refused.
        await service.turn(None, FIRST, stream=is_streamed, body={"session_id": None})
    await service.shut_down()
    await expect(service.seen("writes", partial(_writes, store))).to_be(
        [], rather_than={"null is taken for a session": ["save", "update"] * 2}
    )


def _writes(store: KitStore) -> list[Json]:
    return [one for one in store.calls if one in WRITES]


@must(
    "turn.null-store-by-default",
    "Without configuration the Null store serves, and a chat works, with a session or without.",
    because="The first chat comes before the first database.",
    remedy="`store or NullSessionStore()`, and no branch for None behind it.",
    asks={Ability.CHAT},
    evidence=["seed"],
)
async def null_store_by_default(subject: Subject) -> None:
    service = await open_by_default(subject)
    for session in (None, SESSION):
        for is_streamed in (False, True):
            turn = service.turn(session, FIRST, stream=is_streamed)
            await expect_complete(turn, "without a store")
    await expect(service.shut_down(is_judged=True)).to_succeed()


@must(
    "turn.no-usage-no-write",
    "A turn whose provider reported no usage leaves cost data as it was; zero is not absent.",
    because="A turn of unknown cost that is counted as free looks like one that was free.",
    remedy="Tell None from 0: `if usage is None: return`, not `if not usage`. Begin each turn "
    "without usage, not with zeros, which an agent that fails would leave behind.",
    asks={Ability.CHAT},
    evidence=["seed"],
)
async def no_usage_no_write(subject: Subject) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    for is_streamed in (False, True):
        turn = service.turn(SESSION, None, stream=is_streamed)
        await expect_complete(turn, "without usage")
    store.put("free")
    await expect_complete(service.turn("free", Usage(0, 0, 0)), "with a usage of zero")
    await service.shut_down()

    await expect(service.totals(SESSION, ("turn_count",))).to_be_one_of(
        [{}, {"turn_count": 0}],
        rather_than={"turns of unknown usage are counted as free": {"turn_count": 2}},
        kinds_of_numbers=False,
    )
    await expect(service.cost_data(SESSION)).to_be(
        {}, rather_than={"the model of a turn of unknown usage is written": {"model": MODEL}}
    )
    await expect_totals(
        service,
        "free",
        total(Usage(0, 0, 0)),
        rather_than={"a usage of zero is taken for none": {}},
    )
    for is_streamed in (False, True):
        await _count_nothing_of_a_failure(subject, is_streamed=is_streamed)


async def _count_nothing_of_a_failure(subject: Subject, *, is_streamed: bool) -> None:
    """Let an agent fail before it reports usage, and say nothing of it, between turns that do."""
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await expect_complete(service.turn(SESSION, FIRST), "with a store that works")
    failing = Script(FIRST, MODEL, failure=RuntimeError("the provider went away"))
    # Whatever it answers: what its client is to see of it is a clause of its own.
    await service.scripted_turn(SESSION, failing, stream=is_streamed).perform(is_expected=True)
    unknown = service.turn(SESSION, None, model="model-b", stream=is_streamed)
    await expect_complete(unknown, "after one whose agent failed")
    await service.shut_down()
    free = Usage(0, 0, 0)
    await expect_totals(
        service,
        SESSION,
        total(FIRST),
        rather_than={
            "a turn whose agent failed is counted as free": total(FIRST, free),
            "after others a turn of unknown usage is counted": total(FIRST, free, model="model-b"),
            "the model is that of a turn that is not counted": total(FIRST, model="model-b"),
        },
    )


@must(
    "turn.deleted-totals-stay-deleted",
    "The totals of a session that was deleted in the store, and begun anew, are the sums over the "
    "turns since.",
    because="Retention and users delete sessions past the server. Whoever begins anew under the "
    "id is billed for what is gone, and sees that it was there.",
    remedy="Read the totals before each write. Keep in memory what waits to be written, and the "
    "sums only as long as something does.",
)
async def deleted_totals_stay_deleted(subject: Subject) -> None:
    for is_streamed in ways(subject):
        await _begin_anew(subject, is_streamed=is_streamed)


NOT_COUNTED_IN_TIME = (
    "a turn was not counted soon after its answer: whether the totals of a session that was "
    "deleted come back was not tried"
)


async def _begin_anew(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await expect_complete(
        service.turn(SESSION, FIRST, stream=is_streamed), "with a store that works"
    )
    # What is written only later may well be written to the session that is there then.
    if not await service.is_settled(lambda: service.has_counted(SESSION, 1)):
        subject.stand.note(NOT_COUNTED_IN_TIME)
        return
    await service.renewal(SESSION)
    await expect_complete(
        service.turn(SESSION, SECOND, stream=is_streamed), "with a store that works"
    )
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(SECOND),
        rather_than={
            "the totals of a session that was deleted come back": total(FIRST, SECOND),
        },
    )
