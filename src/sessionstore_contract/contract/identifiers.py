"""An id means one session, exactly and everywhere, or is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must
from ..expect import expect, violated
from ..history import StepFailed
from ..values import are_equal, word
from .procedures.beginning import begin_with
from .procedures.keeping import performed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..history import Call, Step
    from ..subject import Subject

FIRST = {"role": "user", "content": "first"}
SECOND = {"role": "user", "content": "second"}


COLLISIONS = (
    ("CRC-32", "bbcbbbbbbcbcbbbbcbcbccbbbccbbbbbbcbb", "cbbbbbcbcbcbcbbbbbbbbbbcbbbbccbcbbcb"),
    ("head of MD5", "fflobfhboa", "ndyyphfvxe"),
    ("head of SHA-1", "vbojovzbxb", "uuyctbpgzl"),
    ("head of SHA-256", "dlqjpyopby", "xwmubsshtn"),
)
"""Pairs of ids whose sums, of 32 bits, are the same; of the digests the first 8 digits are. Those
of one CRC-32 have one Adler-32 too."""


def _twins(stem: str, number: int) -> tuple[tuple[str, str, str], ...]:
    """Answer pairs of ids that somebody may take for one, with what they differ in."""
    uuid = f"abcdef{number % 100:02}-0000-4000-8000-{number % 10**12:012}"
    return (
        ("in case", f"{stem}-a", f"{stem}-A"),
        ("in white space at the end", stem, f"{stem} "),
        ("in white space at the beginning", stem, f" {stem}"),
        ("in a line end", stem, f"{stem}\n"),
        ("in white space within", f"{stem} a", f"{stem}  a"),
        ("in plus for space", f"{stem} a", f"{stem}+a"),
        ("in percent-encoding", f"{stem} a", f"{stem}%20a"),
        ("in Unicode form", f"{stem}-\u00e9", f"{stem}-e\u0301"),
        ("in an accent", f"{stem}-e", f"{stem}-\u00e9"),
        ("in width", f"{stem}-a", f"{stem}-\uff41"),
        ("in a zero-width character", stem, f"{stem}\u200b"),
        ("after NUL", f"{stem}\x00a", f"{stem}\x00b"),
        ("in NUL at the end", stem, f"{stem}\x00"),
        ("in zeros at the beginning", f"{number}", f"00{number}"),
        ("in a sign", f"{number}", f"+{number}"),
        ("in the case of a UUID", uuid, uuid.upper()),
        ("in the dashes of a UUID", uuid, uuid.replace("-", "")),
        ("in the braces of a UUID", uuid, f"{{{uuid}}}"),
        *((f"and have one {hashed}", one, other) for hashed, one, other in COLLISIONS),
        ("after the 64th character", f"{stem:x<64}a", f"{stem:x<64}b"),
        ("after the 255th character", f"{stem:y<255}a", f"{stem:y<255}b"),
        ("after the 1024th character", f"{stem:z<1024}a", f"{stem:z<1024}b"),
    )


@must(
    "identifiers.are-exact",
    "Ids that differ in case, white space, Unicode form, or after the 64th or the 255th character, "
    "or whose check sums are the same, are different sessions, or are refused.",
    because="Ids come from other systems. Two that fall together show one person the chat of "
    "another.",
    remedy="PostgreSQL: TEXT, not CHAR(n), and no non-deterministic collation. MySQL: VARBINARY or "
    "utf8mb4_0900_bin, as the usual collations ignore case, accents and spaces at the end. SQLite: "
    "TEXT without COLLATE NOCASE, and not an INTEGER or NUMERIC column. Files: a hash of the id, "
    "not the id: the whole of a SHA-256, as a check sum of 32 bits is another's soon. Key-value "
    "stores with short keys: such a hash, or refuse. No strip(), no lower().",
    evidence=["adk-python#6887", "adk-python#6941", "ADOdb#941"],
)
async def are_exact(store: Subject) -> None:
    for name, one, other in _twins(store.unused_id("twin"), store.stand.random.getrandbits(40) + 1):
        # A pair may begin with an id that an earlier one has used.
        await performed(store.delete(one))
        await _are_apart(store, name, one, other)
        await performed(store.delete(one))
    # Who refuses any id at all has not told these from others.
    await store.save(store.unused_id("ordinary"), [FIRST])


async def _are_apart(store: Subject, name: str, one: str, other: str) -> None:
    first = await performed(store.save(one, [FIRST]))
    if first.outcome == "answered":
        await begin_with(store, one, cost_data={"is": "first"})
    await performed(store.create(other))
    second = await performed(store.save(other, [SECOND]))
    await performed(store.update(other, cost_data={"is": "second"}))
    if second.outcome == "answered":
        await expect(store.load(other)).to_be(
            [SECOND],
            rather_than={
                f"load takes ids that differ {name} for one": [FIRST],
                f"load does not find what was saved, under ids that differ {name}": None,
            },
        )
    await _stands(store, first, name, one)
    gone = await performed(store.delete(other))
    await _stands(store, first, name, one)
    if gone.outcome == "answered":
        await _is_missed(
            store, other, store.exists, f"ids that differ {name} are one session for exists"
        )


async def _is_missed(
    store: Subject, session: str, look: Callable[[str], Call[bool]], headline: str
) -> None:
    """Demand that nothing is found under an id whose session was deleted, and others were not.

    What is answered for an ordinary id that was deleted is another clause's matter.
    """
    step = await look(session).perform(is_expected=True)
    if step.answer_as_given is not True:
        return
    ordinary = store.unused_id("deleted")
    for call in (store.save(ordinary, [FIRST]), store.delete(ordinary)):
        await call.perform(is_expected=False)
    if (await look(ordinary).perform(is_expected=False)).answer_as_given is not True:
        violated(headline, demanded="False, or a refusal", answered=step.answered())


async def _stands(store: Subject, first: Step, name: str, one: str) -> None:
    if first.outcome != "answered":
        return
    await expect(store.load(one)).to_be(
        [FIRST],
        rather_than={
            f"ids that differ {name} are one session": [SECOND],
            f"ids that differ {name} are one session for delete": None,
        },
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(one)).to_be(
            {"is": "first"},
            rather_than={
                f"ids that differ {name} are one session for update": {"is": "second"},
                f"ids that differ {name} share cost data": {},
            },
        )


WORDS = ("null", "undefined", "None", "lock", "index", "meta", "sessions", "tmp", "con")
"""Ids that mean none to some programs, or that are names of a store's own, or of a system's."""


def _odd_ids(stem: str) -> dict[str, str]:
    """Answer ids that one door of a store may take and another refuse, by what is odd in them."""
    return {
        "a space": f"{stem} a",
        "a space at the end": f"{stem} ",
        "a space at the beginning": f" {stem}",
        "a line end": f"{stem}\na",
        "a line end at the end": f"{stem}\n",
        "a tab": f"{stem}\ta",
        "NUL": f"{stem}\x00a",
        "a control character": f"{stem}\x1b[0m",
        "a lone surrogate": f"{stem}\ud800",
        "a character beyond the BMP": f"{stem}\U0001f600",
        "a combining mark": f"{stem}e\u0301",
        "a slash": f"{stem}/a",
        "a slash at the end": f"{stem}/",
        "a backslash": f"{stem}\\a",
        "a question mark": f"{stem}?a=1",
        "a hash": f"{stem}#a",
        "a per cent sign": f"{stem}%",
        "a percent-encoding": f"{stem}%2Fa",
        "a quote": f"{stem}'a",
        "a double quote": f'{stem}"a',
        "a colon": f"{stem}:a",
        "a dot and a slash": f"./{stem}",
        "no character": "",
        **{f"the word {one}": one for one in WORDS},
        "nothing but dots": "..",
        "nothing but a dot": ".",
        "nothing but a space": " ",
        "nothing but a slash": "/",
        "65 characters": f"{stem:x<65}",
        "256 characters": f"{stem:x<256}",
        "3000 characters": f"{stem:x<3000}",
    }


@must(
    "identifiers.same-rule-everywhere",
    "An id that one write takes, every operation takes, and `create` answers that id; an id that "
    "`create` refuses, `save` refuses too, and no operation finds a session under it.",
    because="A chat that `create` has opened under an id that `save` refuses loses every turn; one "
    "that `load` refuses is stored and never seen again.",
    remedy="One function that checks an id, called first in every operation. HTTP: ids in a path "
    "are quoted with `quote(id, safe='')`, and what a path can't carry (`.`, `..`) is refused by "
    "`create` too; the service checks on every route, not on POST alone. SQL: no VARCHAR(n) whose "
    "error comes from the INSERT only. `if session_id is None` makes a fresh id, not "
    "`session_id or`. Files: names that no file of the store's own has.",
    evidence=["adk-python#6941", "origin"],
)
async def same_rule_everywhere(store: Subject) -> None:
    # What is answered for an ordinary id is another clause's: an odd one is held against it.
    given = store.unused_id("ordinary")
    ordinary = await _use(store, given)
    unknown = await _look(store, store.unused_id("unknown"))
    for step in ordinary + unknown:
        step.require_answer()
    if not are_equal(ordinary[0].answer_as_given, given):
        raise StepFailed(ordinary[0])
    for name, session in _odd_ids(store.unused_id("odd")).items():
        created, saved, *others = await _use(store, session)
        if created.outcome == "answered" and not are_equal(created.answer_as_given, session):
            violated(
                f"create takes an id with {name}, and answers another one",
                demanded=f"{word(session)}, or a refusal",
                answered=created.answered(),
            )
        _are_agreed(created, saved, name)
        for step, present, missing in zip(others, ordinary[2:], unknown, strict=True):
            if saved.outcome == "answered":
                _is_found(step, present.answer_as_given, name)
            elif step.outcome == "answered":
                _is_missing(step, missing.answer_as_given, name)
    await store.save(given, [FIRST])  # Who refuses any id by now has not told these from others.


async def _use(store: Subject, session: str) -> list[Step]:
    # Odd ids are no random ones: a run that was stopped may have left a session under one.
    await performed(store.delete(session))
    created = await performed(store.create(session))
    saved = await performed(store.save(session, [FIRST]))
    return [created, saved, *await _look(store, session)]


async def _look(store: Subject, session: str) -> list[Step]:
    calls: list[Call[Any]] = [
        store.update(session, cost_data={"turns": 1}),
        store.load(session),
        store.exists(session),
        store.delete(session),
    ]
    if store.can(Capability.COST_READ):
        calls.insert(1, store.get_cost_data(session))
    return [await performed(call) for call in calls]


def _are_agreed(created: Step, saved: Step, name: str) -> None:
    if created.outcome != saved.outcome:
        taking, refusing = (created, saved) if created.outcome == "answered" else (saved, created)
        violated(
            f"{taking.operation} takes an id with {name}, and {refusing.operation} refuses it",
            demanded="that both take it, or neither",
            answered=refusing.answered(),
        )


def _is_found(step: Step, present: Any, name: str) -> None:
    if step.outcome == "raised":
        violated(
            f"{step.operation} refuses an id with {name}, and create and save take it",
            demanded=word(present),
            answered=step.answered(),
        )
    if not are_equal(step.answer_as_given, present):
        violated(
            f"{step.operation} does not find an id with {name}, and create and save take it",
            demanded=word(present),
            answered=step.answered(),
        )


def _is_missing(step: Step, missing: Any, name: str) -> None:
    if not are_equal(step.answer_as_given, missing):
        violated(
            f"{step.operation} takes an id with {name}, and create and save refuse it",
            demanded=f"a refusal, or {word(missing)}",
            answered=step.answered(),
        )


VICTIM = {"role": "user", "content": "of the victim"}


def _hostile_ids(victim: str) -> tuple[str, ...]:
    """Answer ids that mean the victim, every session, or a command to whoever reads them."""
    return (
        "' OR 1=1 --",
        "' OR '1'='1",
        f"{victim}' --",
        f'{victim}" OR ""="',
        f"x' UNION SELECT '{victim}",
        "'; DROP TABLE sessions; --",
        f"{victim}; DROP TABLE sessions",
        f"{victim};--",
        f"{victim}/*",
        f"{victim}\\",
        "%",
        "_" * len(victim),
        f"{victim}%",
        f"{victim[:-1]}_",
        "*",
        f"{victim[:-1]}?",
        f"{victim[:-1]}[!-~]",
        ".*",
        f"{victim}?x=1",
        f"{victim}#x",
        f"{victim}/",
        f"{victim}/cost_data",
        f"./{victim}",
        f"../{victim}",
        f"x/../{victim}",
        f"..\\{victim}",
        f"%{ord(victim[0]):02x}{victim[1:]}",
        f"{victim}%00",
        f"{victim}\x00x",
        f"{victim}\n",
        f"{victim}\r\nDEL {victim}",
        f"{victim}:messages",
        "{victim}",
        '{"$ne": null}',
        "$(rm -r .)",
        "",
    )


@must(
    "identifiers.mean-nothing",
    "Quotes, `%`, `_`, `?`, `#`, `/`, `..`, newlines, `;--`: no id reaches another session, and "
    "what the store is kept in survives every id.",
    because="Ids come from the outside. One that is read as SQL, a pattern, a path or a URL reads, "
    "writes or deletes what belongs to somebody else.",
    remedy="SQL: bound parameters, `=` and never LIKE. HTTP: `quote(id, safe='')` for each id in a "
    "path, and refuse `.` and `..`. Files: a hash of the id as the name. Redis: no KEYS and no "
    "SCAN MATCH with an id in it, and no id that can end in the name of a part of another's "
    "(`a:messages`). MongoDB: refuse what is no text.",
    evidence=["origin"],
)
async def mean_nothing(store: Subject) -> None:
    victim = store.unused_id("victim")
    await store.create(victim)
    await begin_with(store, victim, messages=[VICTIM], cost_data={"owner": "victim"})
    for hostile in _hostile_ids(victim):
        for call in (
            store.load(hostile),
            store.get_cost_data(hostile)
            if store.can(Capability.COST_READ)
            else store.load(hostile),
            store.update(hostile, cost_data={"owner": "hostile"}),
            store.delete(hostile),
            store.create(hostile),
            store.save(hostile, [SECOND]),
            store.update(hostile, cost_data={"owner": "hostile"}),
            store.delete(hostile),
        ):
            step = await performed(call)
            if are_equal(step.answer_as_given, [VICTIM]) or are_equal(
                step.answer_as_given, {"owner": "victim"}
            ):
                violated(
                    f"{step.operation} of the id {word(hostile, limit=40)} reads another session",
                    demanded="nothing of it",
                    answered=step.answered(),
                )
        await _is_whole(store, victim, hostile)
        if step.outcome == "answered":
            await _finds_nothing(store, hostile)


async def _finds_nothing(store: Subject, hostile: str) -> None:
    """Demand that an id under which nothing is left finds no other session."""
    for operation, look in (
        ("exists", store.exists),
        ("update", lambda one: store.update(one, cost_data={"owner": "hostile"})),
        ("delete", store.delete),
    ):
        headline = f"{operation} of the id {word(hostile, limit=40)} finds another session"
        await _is_missed(store, hostile, look, headline)


async def _is_whole(store: Subject, victim: str, hostile: str) -> None:
    shown = word(hostile, limit=40)
    await expect(store.load(victim)).to_be(
        [VICTIM],
        rather_than={
            f"the id {shown} deletes another session": None,
            f"the id {shown} writes another session": [SECOND],
            f"the id {shown} empties another session": [],
        },
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(victim)).to_be(
            {"owner": "victim"},
            rather_than={
                f"the id {shown} writes the cost data of another session": {"owner": "hostile"},
                f"the id {shown} resets the cost data of another session": {},
            },
        )
    created: str = await expect(store.create()).to_succeed()
    await expect(store.delete(created)).to_succeed()
