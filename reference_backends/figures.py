"""The figures of turns and their sums: what may be added, and how cost data holds the sums."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sessionstore_contract.interface import Json

FIGURES: Final = ("input_tokens", "output_tokens", "cached_tokens")

WRITER_PREFIX: Final = "usage:"
"""What the key of a writer of its own begins with, before the writer's name."""

MOST_RECENT: Final = 64
"""Turn ids that are remembered in cost data, as digests: some 1,200 characters."""

MOST_EXACT: Final = 2**53 - 1
"""The largest whole number that every JSON reader takes exactly."""

MOST_TOKENS: Final = 10**12
"""What one turn may have used, of each kind: a sum of thousands of such turns is still exact."""


class UnreadableTotalsError(ValueError):
    """The stored totals are no totals: nothing can be added to them."""


@dataclass(frozen=True)
class Tokens:
    """Three figures that add up. Cached tokens are part of the input tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(*(getattr(self, name) + getattr(other, name) for name in FIGURES))

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(*(getattr(self, name) - getattr(other, name) for name in FIGURES))

    def fields(self) -> dict[str, Json]:
        """Word it as JSON."""
        return {name: getattr(self, name) for name in FIGURES}


@dataclass(frozen=True)
class Turn:
    """One turn whose figures may be added."""

    id: str
    model: str
    tokens: Tokens
    at: float
    """When it ended, in seconds since 1970."""

    @property
    def digest(self) -> str:
        """A short stand-in for the id, which may be of any length."""
        return hashlib.blake2b(self.id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Totals:
    """The sums over the turns of a session."""

    tokens: Tokens = Tokens()
    turn_count: int = 0
    model: str | None = None
    """The model of the last turn."""
    last_turn_at: float = 0.0
    models: Mapping[str, Tokens] = field(default_factory=dict)
    """The same tokens by model; those that were counted before there was this key are missing."""
    recent: tuple[str, ...] = ()
    """Digests of the ids of the last turns, oldest first."""

    def plus(self, turns: Iterable[Turn]) -> Totals:
        """Add turns up; every one of them is among the recent ones then."""
        turns = tuple(turns)
        models = dict(self.models)
        for turn in turns:
            models[turn.model] = models.get(turn.model, Tokens()) + turn.tokens
        recent = (*self.recent, *(turn.digest for turn in turns))
        return replace(
            self,
            tokens=sum((turn.tokens for turn in turns), self.tokens),
            turn_count=self.turn_count + len(turns),
            model=turns[-1].model if turns else self.model,
            last_turn_at=max([self.last_turn_at, *(turn.at for turn in turns)]),
            models=models,
            recent=recent[-max(MOST_RECENT, len(turns)) :],
        )

    def merged(self, other: Totals) -> Totals:
        """Add up what two writers have counted; the model is that of the later turn."""
        # Totals of before there was a time have a model as well.
        later = max(self, other, key=lambda one: (one.last_turn_at, one.model is not None))
        models = dict(self.models)
        for name, tokens in other.models.items():
            models[name] = models.get(name, Tokens()) + tokens
        return Totals(
            tokens=self.tokens + other.tokens,
            turn_count=self.turn_count + other.turn_count,
            model=later.model,
            last_turn_at=later.last_turn_at,
            models=models,
            recent=(*self.recent, *other.recent),
        )

    def fields(self) -> dict[str, Json]:
        """Word it as the keys that one writer keeps."""
        return {
            **self.tokens.fields(),
            "turn_count": self.turn_count,
            "model": self.model,
            "last_turn_at": self.last_turn_at,
            "models": {name: tokens.fields() for name, tokens in self.models.items()},
            "recent_turns": list(self.recent),
        }


def read_writers(cost_data: Json) -> dict[str | None, Totals]:
    """Read what each writer has counted; the writer None keeps its keys at the top level.

    Raises:
        UnreadableTotalsError: some of it is no totals.
    """
    if not isinstance(cost_data, dict):
        raise UnreadableTotalsError(f"cost data is {type(cost_data).__name__}, no object")
    found: dict[str | None, Totals] = {None: _read(cost_data, "")}
    for key, value in cost_data.items():
        if isinstance(key, str) and key.startswith(WRITER_PREFIX):
            if not isinstance(value, dict):
                raise UnreadableTotalsError(f"{key[:80]!a} holds no object")
            found[key.removeprefix(WRITER_PREFIX)] = _read(value, f"{key[:80]}/")
    return found


def read_totals(cost_data: Json) -> Totals:
    """Read the sums over all writers.

    Raises:
        UnreadableTotalsError: some of it is no totals.
    """
    totals = Totals()
    for one in read_writers(cost_data).values():
        totals = totals.merged(one)
    return totals


def worded(totals: Totals, writer: str | None) -> dict[str, Json]:
    """Word the totals of one writer as fields for `update`."""
    return totals.fields() if writer is None else {f"{WRITER_PREFIX}{writer}": totals.fields()}


def whole(value: object) -> int | None:
    """Answer the whole number that a stored sum is, None for what can't be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float):
        # 300.0 is 300: databases and scripting languages make one of the other.
        if not value.is_integer() or value > MOST_EXACT:
            return None
        value = int(value)
    return value if value >= 0 else None


def believable(value: object) -> int | None:
    """Answer the number of tokens that a reported figure is, None for one that is not added."""
    number = whole(value)
    return None if number is None or number > MOST_TOKENS else number


def _read(fields: Mapping[str, Any], place: str) -> Totals:
    at = fields.get("last_turn_at", 0.0)
    model = fields.get("model")
    return Totals(
        tokens=_tokens(fields, place),
        turn_count=_figure(fields, "turn_count", place),
        # Neither is added to: what can't be read is replaced by the next turn.
        model=model if isinstance(model, str) else None,
        last_turn_at=at if isinstance(at, (int, float)) and -math.inf < at < math.inf else 0.0,
        models=dict(_models(fields.get("models", {}), f"{place}models")),
        recent=tuple(_recent(fields.get("recent_turns", []), f"{place}recent_turns")),
    )


def _tokens(fields: Mapping[str, Any], place: str) -> Tokens:
    return Tokens(*(_figure(fields, name, place) for name in FIGURES))


def _figure(fields: Mapping[str, Any], name: str, place: str) -> int:
    value = fields.get(name, 0)
    number = whole(value)
    if number is None:
        # Not the value itself: what a store answers may be of any size.
        raise UnreadableTotalsError(f"{place}{name} is {type(value).__name__}, no sum of tokens")
    return number


def _models(value: Json, place: str) -> Iterator[tuple[str, Tokens]]:
    if not isinstance(value, dict):
        raise UnreadableTotalsError(f"{place} is {type(value).__name__}, no object")
    for name, fields in value.items():
        if not isinstance(fields, dict):
            raise UnreadableTotalsError(f"{place} holds {type(fields).__name__}, no object")
        yield name, _tokens(fields, f"{place}/")


def _recent(value: Json, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        raise UnreadableTotalsError(f"{place} is {type(value).__name__}, no list")
    yield from (one for one in value if isinstance(one, str))
