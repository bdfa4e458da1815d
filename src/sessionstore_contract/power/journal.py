"""The journal of what a process did to its files, as the recorder writes it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = struct.Struct("=cIQqq")


class Kind(StrEnum):
    """What was done."""

    CREATED = "C"
    """A file, under a name or none yet."""
    LINKED = "L"
    UNLINKED = "U"
    RENAMED = "R"
    WROTE = "W"
    RESIZED = "T"
    GREW = "G"
    """To this size at least: room was made for it."""
    MAPPED = "P"
    """To be written past the recorder."""
    SYNCED = "S"
    FOLDER_SYNCED = "D"
    ALL_SYNCED = "A"
    MARKED = "M"
    """Something was answered; the name says what."""


@dataclass(frozen=True)
class Record:
    """One thing that was done, and where its record ends."""

    kind: Kind
    name: str
    file: int
    offset: int
    data: bytes
    end: int


def records(journal: bytes) -> Iterator[Record]:
    """Read a journal, up to the last record that is whole."""
    at = 0
    while at + HEAD.size <= len(journal):
        kind, name_length, file, offset, length = HEAD.unpack_from(journal, at)
        middle = at + HEAD.size + name_length
        at = middle + length
        if at > len(journal):
            return
        name = journal[middle - name_length : middle].decode("utf-8", "surrogateescape")
        yield Record(Kind(kind.decode()), name, file, offset, journal[middle:at], at)
