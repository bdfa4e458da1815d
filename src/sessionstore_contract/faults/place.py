"""Where one conversation stands, as a fault counts: which answer, and how much of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..fault import Fault


class Place:
    """Counts the answers of one connection for one fault, from the words on that it is about."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._heard = b""
        self._is_about = fault.about is None
        self._is_asked = False
        self.answer = 0
        self._passed = 0

    def ask(self, said: bytes) -> bool:
        """Take what the store says; answer whether it is, or follows, what the fault is about."""
        about = self._fault.about
        if not self._is_about and about is not None:
            heard = self._heard + said
            self._is_about = about in heard
            self._heard = heard[-len(about) :]
        self._is_asked = self._is_asked or self._is_about
        return self._is_about

    def take(self, said: bytes) -> int | None:
        """Take what the server says; answer how much of it is to pass before the fault strikes.

        None when it does not strike here.
        """
        if not self._is_about:
            return None
        if self._is_asked:
            self._is_asked = False
            self.answer, self._passed = self.answer + 1, 0
        before, self._passed = self._passed, self._passed + len(said)
        if self.answer == self._fault.answer and before <= self._fault.after < self._passed:
            return self._fault.after - before
        return None

    @property
    def length(self) -> int:
        """Bytes of the answer so far."""
        return self._passed
