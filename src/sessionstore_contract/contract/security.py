"""What is stored stays data, and what is secret stays secret."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from .. import permissions
from ..capabilities import Capability
from ..clause import must, should
from ..expect import NothingFound, violated
from ..history import Step, StepFailed
from ..values import are_equal, kind, printable, word
from .messages import UNSTORABLE
from .procedures.contents import Contents, Watch
from .procedures.eavesdropping import eavesdropping, overhearing, shown_by, shown_by_object
from .procedures.failing import (
    faulty_network,
    refused_values,
    refusing_tables,
    unwritable_files,
)
from .procedures.keeping import Way, expect_kept_or_refused, is_refusal, performed, ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..history import Call
    from ..interface import Json
    from ..secret import Peer, Secret
    from ..subject import Subject

IMPORTED_BY_NOBODY = "tabnanny"
"""A module of the standard library that does nothing when it is imported, and is seldom."""

LOOKALIKES: dict[str, Json] = {
    "jsonpickle's py/object": {"py/object": "tabnanny.NannyNag", "lineno": 1},
    "jsonpickle's py/reduce": {"py/reduce": [{"py/type": "builtins.list"}, {"py/tuple": []}]},
    "jsonpickle's py/tuple": {"py/tuple": [1, 2]},
    "a __class__ member": {"__class__": "Decimal", "__module__": "decimal", "value": "1.5"},
    "a __reduce__ member": {"__reduce__": ["os.getcwd", []], "__proto__": {"admin": True}},
    "MongoDB's $date": {"$date": "2024-01-31T12:00:00Z"},
    "MongoDB's $oid": {"$oid": "507f1f77bcf86cd799439011"},
    "MongoDB's $numberDecimal": {"$numberDecimal": "1.50"},
    "a $type member": {"$type": "System.IO.FileInfo, System.IO", "$ref": "#/0", "$binary": ""},
    "a tagged constructor": {"lc": 1, "type": "constructor", "id": ["decimal", "Decimal"]},
    "a __datetime__ member": {"__datetime__": True, "isoformat": "2024-01-31T12:00:00"},
    "a __bytes__ member": {"__bytes__": "aGk="},
    "a YAML tag": "!!python/object/apply:os.getcwd []",
    "a YAML alias": ["&one 1", "*one", "<<", "yes", "~"],
    "a date": ["2024-01-31", "2024-01-31T12:00:00Z", "2024-01-31 12:00:00+00:00", "12:00:00"],
    "a UUID": "12345678-1234-5678-1234-567812345678",
    "a text that is JSON": '{"role": "user", "content": [1, 2]}',
    "a text that is a pickle": "gASVFAAAAAAAAACMAm9zlIwGZ2V0Y3dklJOUKVKULg==",
    "a template": "{{ 7 * 7 }} ${7*7} %(seven)s {0}",
}
"""Values that some library or other would make more of, by what they look like."""


@must(
    "security.answers-are-plain-data",
    "What was stored comes back as plain JSON types - exactly dict, list, str, int, float, bool "
    "and None - at every depth; nothing is revived, imported or executed.",
    because="Messages are written by users and models. A store that revives what looks like an "
    "object runs their code, or hands a type to a server that can't send it on.",
    remedy="`json.loads` without hooks. Not pickle, jsonpickle or `yaml.load`. MongoDB: keep "
    "messages and cost data as text, or decode without extended JSON. SQLite: no "
    "`detect_types`. PostgreSQL: a JSON codec that is `json.loads`; answer `dict(row)`, not the "
    "row. Redis: no pickle serializer.",
)
async def answers_are_plain_data(store: Subject) -> None:
    was_imported = IMPORTED_BY_NOBODY in sys.modules
    for way in ways(store):
        await _keeps(store, way)
    if not was_imported and IMPORTED_BY_NOBODY in sys.modules:
        violated(
            "a module that stored data names is imported",
            demanded=f"that {IMPORTED_BY_NOBODY!r} stays a text",
            answered=f"{IMPORTED_BY_NOBODY} in sys.modules",
        )


async def _keeps(store: Subject, way: Way) -> None:
    """Write all of it at once; where that is refused, one after the other says what is not."""
    session = await store.create()
    whole = list(LOOKALIKES.values())
    # Also where nothing is wrapped around: a message may be what looks like an object.
    written = [*whole, *way.wrap(whole)] if not way.is_cost_data else {**LOOKALIKES, "all": whole}
    call = store.update(session, cost_data=written) if way.is_cost_data else None
    write = await performed(call or store.save(session, written))
    if is_refusal(write):
        for name, value in LOOKALIKES.items():
            await expect_kept_or_refused(store, way, value, name)
        return
    read = await way.read(store, session).perform(is_expected=True)
    if read.outcome != "answered":
        violated(
            f"{read.operation} {read.answered()}: it stumbles over what looks like an object",
            demanded=word(written),
            answered=read.answered(),
        )
    _expect_plain(read, whole, way)
    if not are_equal(read.answer_as_given, written):
        # Not because of how it looks: that JSON values come back has clauses of its own.
        raise StepFailed(read)


def _expect_plain(read: Step, whole: list[Json], way: Way) -> None:
    answer = read.answer
    pairs = zip(LOOKALIKES, whole, _members(answer, way), strict=False)
    for name, demanded, found in pairs:
        if not are_equal(found, demanded):
            violated(
                f"{read.operation} answers {name} as {word(found, limit=60)}",
                demanded=word(demanded),
                answered=word(found),
            )
    odd = _first_odd(answer)
    if odd is not None:
        violated(
            f"{read.operation} answers a {_type(odd)}, not a plain {_plain(odd)}",
            demanded="dict, list, str, int, float, bool and None, and no other types",
            answered=f"a {_type(odd)}: {word(odd, limit=100)}",
        )


def _members(answer: Any, way: Way) -> list[Any]:
    """Answer the members that were written by name, in that order; none of another shape."""
    if way.is_cost_data:
        is_whole = isinstance(answer, dict) and answer.keys() >= LOOKALIKES.keys()
        return [answer[name] for name in LOOKALIKES] if is_whole else []
    return list(answer[: len(LOOKALIKES)]) if isinstance(answer, list) else []


def _first_odd(value: Any) -> Any:
    """Answer the outermost value that is of no plain type; None when all are."""
    pending, seen = [value], set()
    while pending:
        one = pending.pop(0)
        if type(one) is dict or type(one) is list:
            if id(one) not in seen:
                seen.add(id(one))
                pending += [*one, *one.values()] if type(one) is dict else one
        elif one is not None and type(one) not in {str, int, float, bool}:
            return one
    return None


def _type(value: Any) -> str:
    return printable(f"{type(value).__module__}.{type(value).__qualname__}")


def _plain(value: Any) -> str:
    return "type" if kind(value) == printable(type(value).__name__) else kind(value)


@must(
    "security.secrets-stay-secret",
    "A password or token of the place never shows in the store's `repr`, in an exception (its "
    "whole chain) or in a log, even when the peer repeats it.",
    because="Logs and error reports go to more people and places than the database does, and are "
    "kept for longer.",
    remedy="Write a `__repr__` of your own; don't put the DSN into a message. Raise your own "
    "exception, outside the `except` of the driver's or `from None`, with words of your own: what "
    "a server says may repeat what it was sent. HTTP: httpx and httpcore log status lines and "
    "headers; add a filter to their loggers that takes the token out. PostgreSQL: a driver that "
    "can't read a DSN quotes it; psycopg and psycopg_pool log what the server says, so their "
    "loggers need a filter, too.",
    needs={Capability.SECRETS},
    evidence=["origin"],
)
async def secrets_stay_secret(store: Subject) -> None:
    # A store that is not shared may let nobody else in while it is open.
    await store.close()
    secret = await store.stand.keep_secret()
    with eavesdropping() as heard:
        for peer in secret.peers:
            try:
                await _use(store, peer, secret)
            finally:
                _listen(heard, secret, peer)


async def _use(store: Subject, peer: Peer, secret: Secret) -> None:
    """Open a store and do with it what there is to do, looking at all that it shows."""
    try:
        subject = await store.stand.open_at(peer.place, token=peer.token)
    except Exception as error:
        _look_at(error.__cause__ or error, "opening the store", secret, peer)
        if peer.is_real:
            raise
        return
    _look_at_store(subject, secret, peer)
    if peer.is_real:
        steps = [await call.perform(is_expected=False) for call in _calls(subject)]
    else:
        # At once: each may take the whole of the store's own time-out.
        calls = (call.perform(is_expected=True) for call in _calls(subject))
        steps = await asyncio.gather(*calls)
    _look_at_steps(steps, secret, peer)
    if peer.is_real:
        for step in steps:
            step.require_answer()
    if any(step.outcome == "hung" for step in steps):
        # For want of a server, which says nothing of the clauses that have one.
        subject.stand.history.restart()
        return
    _look_at_store(subject, secret, peer)
    closing = await subject.close().perform(is_expected=not peer.is_real)
    _look_at_steps([closing], secret, peer)


def _calls(subject: Subject) -> Iterator[Call[Any]]:
    session = subject.unused_id()
    yield subject.create(session)
    yield subject.save(session, [{"role": "user", "content": "hi"}])
    yield subject.update(session, cost_data={"turns": 1})
    yield subject.load(session)
    if subject.can(Capability.COST_READ):
        yield subject.get_cost_data(session)
    yield subject.exists(session)
    yield subject.delete(session)


def _look_at_steps(steps: list[Step], secret: Secret, peer: Peer) -> None:
    showing: list[tuple[BaseException, str]] = []
    for step in steps:
        error = step.error
        if error is not None and any(secret.is_in(text) for _, text in shown_by(error)):
            # The report shows the history; in none of it may be what it complains of.
            step.error = type(type(error).__name__, (Exception,), {})(secret.hidden(str(error)))
            showing.append((error, step.operation))
    for error, operation in showing:
        _look_at(error, operation, secret, peer)


def _look_at(error: BaseException, what: str, secret: Secret, peer: Peer) -> None:
    for where, text in shown_by(error):
        if secret.is_in(text):
            _shown(
                f"{what} raises an exception that shows the {secret.kind}",
                where,
                text,
                secret,
                peer,
            )


def _look_at_store(subject: Subject, secret: Secret, peer: Peer) -> None:
    for where, text in shown_by_object(subject.store):
        if secret.is_in(text):
            _shown(f"the {where} of the store shows the {secret.kind}", where, text, secret, peer)


def _listen(heard: list[tuple[str, str]], secret: Secret, peer: Peer) -> None:
    for who, text in heard:
        if secret.is_in(text):
            _shown(f"{who} shows the {secret.kind}", "what it says", text, secret, peer)


def _shown(headline: str, where: str, text: str, secret: Secret, peer: Peer) -> None:
    hidden = secret.hidden(text)
    # The lines around it are enough to find it by.
    at = max(hidden.find(f"[the {secret.kind}]") - 100, 0)
    violated(
        headline,
        demanded=f"nothing of the {secret.kind}, with {peer.name}",
        answered=f"in {where}, with {peer.name}: {word(hidden[at : at + 240])}",
    )


@should(
    "security.contents-stay-out-of-errors",
    "What a chat says - the text of a message, a value of cost data - shows in no exception of a "
    "call that fails (its whole chain), and in no log at WARNING or above.",
    because="Logs and error reports are read by more people than chats are, are sent to other "
    "companies, and outlive the chat that was to be deleted. A database that refuses one row puts "
    "what somebody said in confidence there.",
    remedy="Raise your own exception, outside the `except` of the driver's or `from None`, with "
    "the operation, the session's id and the driver's code. SQLAlchemy: "
    "`create_engine(hide_parameters=True)`, which does not hide what the server says. PostgreSQL: "
    "its DETAIL and CONTEXT quote the row; the message without them is `error.args[0]` of asyncpg, "
    "`error.diag.message_primary` of psycopg. "
    "HTTP: tell the status, not the body: servers echo what they refuse. A value that can't be "
    "stored: tell where it is and its type.",
    evidence=["origin", "npgsql#2501", "powercontext#1336", "fastapi-sqla#398"],
)
async def contents_stay_out_of_errors(store: Subject) -> None:
    has_files = store.can(Capability.FILES)
    # Before anything else: threads that the store begins are to obey as well.
    with permissions.obeyed() if has_files else nullcontext(), overhearing() as heard:
        watch = Watch(Contents.drawn(store.stand.random), heard)
        await refused_values(store, watch, UNSTORABLE)
        await refusing_tables(store, watch)
        if has_files:
            await unwritable_files(store, watch)
        if store.can(Capability.FAULTS):
            await faulty_network(store, watch)
    if not watch.failed:
        raise NothingFound("no call failed: see lifecycle.create-refuses-a-taken-id")
    store.stand.note(f"calls that failed: {watch.told()}")
