"""What an agent is to say in each turn, and the agent that says it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from ..interface import Json

PIECES = ("Hel", "lo, ", "wörld", ' "quoted"\n', "\U0001f600 ", "end.")
"""An answer, in pieces that a careless server breaks: quotes, line ends, more than one byte."""

TEXT = "".join(PIECES)


@dataclass(frozen=True)
class Usage:
    """The figures of a turn, as a provider reports them: some clauses report nonsense."""

    input_tokens: Json = 0
    output_tokens: Json = 0
    cached_tokens: Json = 0

    def fields(self) -> dict[str, Json]:
        """Word it as JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Said:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class Known:
    """The usage of the turn up to here, of which nothing is to be added to the last one."""

    usage: Usage


@dataclass(frozen=True)
class Ended:
    """The end of the answer, with the usage of the whole turn if the provider reports it."""

    usage: Usage | None
    model: str


Event: TypeAlias = Said | Known | Ended


@dataclass
class Script:
    """One turn."""

    usage: Usage | None
    model: str
    known: tuple[Usage, ...] = ()
    """Reported in mid-answer, each in the place of the one before it."""
    hold: asyncio.Event | None = None
    """Waited for in mid-answer, after what is known was reported."""
    meanwhile: Callable[[], None] | None = None
    """Called in mid-answer."""
    failure: Exception | None = None
    """Raised in mid-answer, after what is known was reported."""

    async def play(self) -> AsyncIterator[Event]:
        """Say it."""
        half = len(PIECES) // 2
        for piece in PIECES[:half]:
            yield Said(piece)
            await asyncio.sleep(0)
        for usage in self.known:
            yield Known(usage)
            # What is said after it has been read when this has been.
            yield Said("")
        if self.meanwhile is not None:
            self.meanwhile()
        if self.failure is not None:
            raise self.failure
        if self.hold is not None:
            await self.hold.wait()
        for piece in PIECES[half:]:
            yield Said(piece)
            await asyncio.sleep(0)
        yield Ended(self.usage, self.model)


@dataclass
class Agent:
    """The scripted agent: call it with what the server would ask a model with.

    It knows the turn by the prompt, which it finds wherever it stands in that.
    """

    _scripts: dict[str, Script] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """What it was asked, in order."""

    def learn(self, script: Script) -> str:
        """Take a script, and answer the prompt that it is the answer to: the same one again."""
        for prompt, known in self._scripts.items():
            if known is script:
                return prompt
        prompt = f"prompt-{len(self._scripts) + 1}-of-this-trial"
        self._scripts[prompt] = script
        return prompt

    def __call__(self, asked: Any) -> AsyncIterator[Event]:
        """Answer the last prompt in what is asked."""
        text = repr(asked)
        self.asked.append(text)
        latest = max(self._scripts, key=text.rfind, default=None)
        if latest is None or latest not in text:
            raise ValueError("the agent was not given the prompt of the request")
        return self._scripts[latest].play()
