"""The one id rule and the one value rule of the reference backends, checked before any I/O."""

from __future__ import annotations

import math
import secrets
from datetime import UTC, datetime

from reference_backends.plain_values import is_plain, kinds_in
from sessionstore_contract.interface import InvalidSessionIdError, Json, UnstorableValueError

MAX_ID_LENGTH = 255
"""Characters in a session id: what the shortest common key column takes."""

MAX_DEPTH = 256
"""Levels of nesting: far from where Python's JSON parser or PostgreSQL's stack give up."""


MAX_INTEGER_BITS = 14_000
"""Python refuses to read integers of more than 4,300 digits, which is some 14,284 bits."""


MANY = 16
"""Members from which on it is faster to look at all of a level at once."""


def fresh_id() -> str:
    """Answer an id with 128 random bits."""
    return secrets.token_hex(16)


def check_id(session_id: object) -> str:
    """Answer the id, or raise InvalidSessionIdError.

    An id is 1 to 255 characters that can be printed or are spaces, and neither `.` nor `..`,
    which mean another place in a URL.
    """
    if not isinstance(session_id, str):
        raise InvalidSessionIdError(f"a session id is a text, not {type(session_id).__name__}")
    if 2 < len(session_id) <= MAX_ID_LENGTH and session_id.isascii() and session_id.isprintable():
        return session_id  # nearly every id: none of them needs a closer look
    if not 1 <= len(session_id) <= MAX_ID_LENGTH:
        raise InvalidSessionIdError(
            f"a session id has 1 to {MAX_ID_LENGTH} characters, not {len(session_id)}"
        )
    if session_id in {".", ".."}:
        raise InvalidSessionIdError(f"{session_id!r} means another place in a URL and is no id")
    for character in session_id:
        if character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff":
            raise InvalidSessionIdError(
                f"a session id has no control characters and no surrogates: {session_id[:40]!a}"
            )
    return session_id


def check_messages(messages: object) -> list[Json]:
    """Answer the messages, or raise UnstorableValueError."""
    found = check_list(messages)
    check_members(found, 0)
    return found


def check_list(messages: object) -> list[Json]:
    """Answer the messages if they are a list, whose members are then to be checked."""
    if not isinstance(messages, list):
        raise UnstorableValueError(f"messages are a list, not {type(messages).__name__}")
    return messages


def check_members(group: list[Json], start: int) -> bool:
    """Raise UnstorableValueError unless these can be kept; the first is message `start`.

    Answer whether there may be floats among them.
    """
    if len(group) >= MANY and (kinds := kinds_in(group, max_depth=MAX_DEPTH)) is not None:
        return float in kinds
    try:
        for index, item in enumerate(group, start):
            _check_member(item, 1, index)
    except _UnstorableError as found:
        raise _located("messages", found) from None
    return True


def check_cost_data(cost_data: object) -> dict[str, Json]:
    """Answer the cost data, or raise UnstorableValueError."""
    if not isinstance(cost_data, dict):
        raise UnstorableValueError(f"cost data is an object, not {type(cost_data).__name__}")
    if not (len(cost_data) >= MANY and is_plain(cost_data, max_depth=MAX_DEPTH)):
        try:
            _check(cost_data, 1)
        except _UnstorableError as found:
            raise _located("cost_data", found) from None
    return cost_data


def check_cutoff(cutoff: object) -> datetime:
    """Answer the cutoff in UTC, or raise ValueError: without a UTC offset it is no instant."""
    if not isinstance(cutoff, datetime):
        raise ValueError(f"a cutoff is a datetime, not {type(cutoff).__name__}")  # noqa: TRY004
    if cutoff.utcoffset() is None:
        raise ValueError(f"the cutoff {cutoff.isoformat()} has no UTC offset: give it a tzinfo")
    return in_utc(cutoff)


def check_positive(**settings: float) -> None:
    """Raise ValueError unless all of these settings of a store are more than 0.

    What a driver says of them later looks like a server that is away.
    """
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{name} is more than 0, not {value}")


def in_utc(moment: datetime) -> datetime:
    """Answer the same instant in UTC, or the end of time that it is beyond by some hours."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        return last if moment.year > 1 else first


class _UnstorableError(Exception):
    """What is wrong, and on the way up where: cheaper than carrying the path down."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.path: list[str] = []


def _located(name: str, found: _UnstorableError) -> UnstorableValueError:
    path = name + "".join(reversed(found.path))
    return UnstorableValueError(f"{path[:80]}: {found}")


def _check(value: Json, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):  # bool is an int
        if value.bit_length() > MAX_INTEGER_BITS:
            raise _UnstorableError(f"an integer of more than {MAX_INTEGER_BITS} bits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _UnstorableError(f"{value} is no JSON number")
    elif isinstance(value, list):
        _check_depth(depth)
        for index, item in enumerate(value):
            _check_member(item, depth, index)
    elif isinstance(value, dict):
        _check_depth(depth)
        for key, item in value.items():
            if not isinstance(key, str):
                raise _UnstorableError(f"a key is a text, not {type(key).__name__}")
            _check_text(key)
            _check_member(item, depth, key)
    elif value is not None:
        raise _UnstorableError(f"{type(value).__name__} is no JSON type")


def _check_member(item: Json, depth: int, place: int | str) -> None:
    try:
        _check(item, depth + 1)
    except _UnstorableError as found:
        found.path.append(f"[{place!r}]")
        raise


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _UnstorableError("text with U+0000 can't be kept by every database")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _UnstorableError("text with a lone surrogate is no Unicode") from None


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _UnstorableError(f"nested deeper than {MAX_DEPTH} levels")
