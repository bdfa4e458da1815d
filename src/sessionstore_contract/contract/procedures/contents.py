"""What a chat says, in words that are met nowhere else; and whether a call that fails shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...expect import violated
from ...values import word
from .eavesdropping import shown_by

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from ...history import Call, Step
    from ...interface import Json

LETTERS = "bcdfghjklmnpqrstvwxz"
"""No vowels: what is made of these is no word."""
LENGTH = 14
"""Letters of a word: PostgreSQL shows the first 64 characters of a value, and of asyncpg's 40."""

IN_PRINT_ALONE = (UnicodeError, BaseExceptionGroup)
"""An error of Python's encoders holds the whole text in its args, and every store that encodes may
raise one; what is printed of it is a character. The parts of a group are looked at one by one."""


@dataclass(frozen=True)
class Contents:
    """What a chat says."""

    said: str
    """The text of a message."""
    noted: str
    """A value of cost data."""

    @classmethod
    def drawn(cls, source: random.Random) -> Contents:
        """Draw words that nothing else holds by chance."""
        return cls(*("".join(source.choices(LETTERS, k=LENGTH)) for _ in range(2)))

    def messages(self, *more: Json) -> list[Json]:
        """Answer messages of which the first says it."""
        # First: what is too long to be quoted is cut.
        return [{"role": "user", "content": self.said}, *more]

    def costs(self, **more: Json) -> dict[str, Json]:
        """Answer cost data of which the first value says it."""
        return {"note": self.noted, **more}

    def found_in(self, text: str) -> tuple[str, int] | None:
        """Say what of it a text shows, and where; None if nothing."""
        words = {"the text of a message": self.said, "a value of cost data": self.noted}
        found = [(what, text.find(one)) for what, one in words.items() if one in text]
        return min(found, key=lambda one: one[1], default=None)


@dataclass
class Watch:
    """Looks at what calls that fail show, and what is logged meanwhile."""

    contents: Contents
    heard: list[tuple[str, str]]
    """What is printed, by who says it."""
    failed: Counter[str] = field(default_factory=Counter)
    """Calls that failed, by what made them fail."""

    async def over(self, calls: Iterable[Call[Any]], situation: str) -> None:
        """Make calls, one after the other, each with a history of its own."""
        for call in calls:
            call.history.restart()
            step = await call.perform(is_expected=True)
            step.beside = situation
            self.look(step, situation)

    def look(self, step: Step, situation: str) -> None:
        """Demand that nothing of the contents shows in what has come of a call."""
        said, self.heard[:] = list(self.heard), []
        if step.error is not None:
            self.failed[situation] += 1
            for where, text in shown_by(step.error, in_print_alone=IN_PRINT_ALONE):
                self._demand(text, f"{step.operation} raises an exception that shows", where)
        for who, text in said:
            self._demand(text, f"{who} shows", f"what it says, as {step.operation} is called")

    def _demand(self, text: str, headline: str, where: str) -> None:
        found = self.contents.found_in(text)
        if found is None:
            return
        what, at = found
        around = text[max(at - 60, 0) : at + 30]  # so much of a text is worded whole
        violated(
            f"{headline} {what}",
            demanded="nothing of what a chat says",
            answered=f"in {where}: {word(around)}",
        )

    def told(self) -> str:
        """Say what calls have failed."""
        return "; ".join(f"{count} {situation}" for situation, count in self.failed.items())
