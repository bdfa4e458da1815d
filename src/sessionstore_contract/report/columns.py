"""What the columns of one matrix are called, so that the runs in it can be told apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from ..values import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .record import BackendRecord

LONGEST = 80
"""Characters of a name that are shown."""

FIRST: tuple[Callable[[BackendRecord], str], ...] = (
    lambda one: one.subject.server or "no server",
    lambda one: ", ".join(one.subject.drivers) or "no driver",
    lambda one: f"Python {one.head.python}",
)
"""What stands beside a name that several have, wherever it differs."""

FURTHER: tuple[Callable[[BackendRecord], str], ...] = (
    lambda one: one.subject.profile,
    lambda one: one.subject.storage,
    lambda one: one.subject.target,
    lambda one: f"contract {one.head.version}",
    lambda one: f"kit {one.head.kit}",
    lambda one: one.head.platform,
    lambda one: f"effort {one.head.effort}",
    lambda one: one.head.started_at,
    lambda one: f"seed {one.head.seed}",
)
"""What is added, one after the other, as long as two are still called the same."""


def names(backends: Sequence[BackendRecord]) -> list[str]:
    """Name each backend; no two names are equal."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, backend in enumerate(backends):
        groups[backend.name].append(number)
    found = [""] * len(backends)
    for group in groups.values():
        for number, name in zip(group, _told_apart([backends[n] for n in group]), strict=True):
            found[number] = name
    return _numbered(found)


def _told_apart(group: list[BackendRecord]) -> list[str]:
    parts = [[one.name or "(no name)"] for one in group]
    for facet in FIRST:
        _add(facet, group, parts, list(range(len(group))))
    for facet in FURTHER:
        for alike in _alike(parts):
            _add(facet, group, parts, alike)
    return [", ".join(printable(part, limit=LONGEST) for part in one) for one in parts]


def _alike(parts: list[list[str]]) -> list[list[int]]:
    """The places of those that are still called the same."""
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, part in enumerate(parts):
        places[tuple(part)].append(place)
    return [one for one in places.values() if len(one) > 1]


def _add(
    facet: Callable[[BackendRecord], str],
    group: list[BackendRecord],
    parts: list[list[str]],
    places: list[int],
) -> None:
    said = {place: facet(group[place]) for place in places}
    if len(set(said.values())) > 1:
        for place in places:
            parts[place].append(said[place])


def _numbered(found: list[str]) -> list[str]:
    repeated = {name for name, number in Counter(found).items() if number > 1}
    taken = set(found)
    numbered = []
    for name in found:
        unique, number = name, 1
        if name in repeated:
            while (unique := f"{name} ({number})") in taken:
                number += 1
            taken.add(unique)
        numbered.append(unique)
    return numbered
