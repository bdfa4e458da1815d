"""What a disk can hold after the power has failed: what was synced, and some of what was not.

The model is the weakest that POSIX allows and that common file systems give: a sync of a file makes
sure of its content, and of the names that lead to it; names that come and go become certain in
their order, at the latest with a sync of their folder; what is written and not synced may be there
whole, in part, out of order and torn, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .journal import Kind

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from .journal import Record

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""

Policy = Literal["nothing", "the first", "some", "torn"]

POLICIES: Mapping[Policy, str] = {
    "nothing": "nothing that was not synced",
    "the first": "the first of what was not synced",
    "some": "some of what was not synced, in any order",
    "torn": "some sectors of what was not synced",
}
"""What is kept beyond that which was synced."""

SHARED_MEMORY = "-shm"
"""Ends the name of the file in which SQLite's processes meet; it is made anew after a crash."""


@dataclass
class Change:
    """One change to the content of a file: bytes at an offset, or a size."""

    kind: Kind
    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        end = self.offset + len(self.data)
        if self.kind is Kind.RESIZED and self.offset < len(content):
            del content[self.offset :]
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[self.offset : end] = self.data

    def sectors(self) -> list[Change]:
        """Cut it where a disk may tear it."""
        if self.kind is not Kind.WROTE:
            return [self]
        first = SECTOR - self.offset % SECTOR
        cuts = [0, *range(first, len(self.data), SECTOR), len(self.data)]
        return [
            Change(self.kind, self.offset + begin, self.data[begin:end])
            for begin, end in pairwise(cuts)
        ]


@dataclass
class File:
    """The content of a file, whatever it is called."""

    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[Change] = field(default_factory=list)
    is_mapped: bool = False

    def sync(self) -> None:
        for change in self.unsynced:
            change.apply(self.synced)
        self.unsynced.clear()

    def content(self, keep: Callable[[list[Change]], list[Change]]) -> bytes:
        content = bytearray(self.synced)
        for change in keep(self.unsynced):
            change.apply(content)
        return bytes(content)


Naming = tuple[tuple[str, File | None], ...]
"""Names that come, and names that go (None), in one step."""


class Disk:
    """The disk below one folder, as of a point of the journal."""

    def __init__(self, folder: Path) -> None:
        """Take what is there now for certain."""
        self._files: dict[int, File] = {}
        self._names: dict[str, File] = {}
        self._unsynced: list[Naming] = []
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                number = path.stat().st_ino
                file = self._files.setdefault(number, File(bytearray(path.read_bytes())))
                self._names[str(path)] = file

    def feed(self, record: Record) -> None:
        """Go on by one record."""
        match record.kind:
            case Kind.CREATED:
                file = self._files[record.file] = File()
                if record.name:
                    self._unsynced.append(((record.name, file),))
            case Kind.LINKED:
                self._unsynced.append(((record.name, self._file(record)),))
            case Kind.UNLINKED:
                self._unsynced.append(((record.name, None),))
            case Kind.RENAMED:
                target = record.data.decode("utf-8", "surrogateescape")
                self._unsynced.append(((record.name, None), (target, self._file(record))))
            case Kind.WROTE | Kind.RESIZED | Kind.GREW:
                self._change(record)
            case Kind.MAPPED:
                self._file(record).is_mapped = True
            case _:
                self._sync(record)

    def _file(self, record: Record) -> File:
        return self._files.setdefault(record.file, File())

    def _change(self, record: Record) -> None:
        file = self._file(record)
        if record.kind is Kind.GREW:
            # Room that was made is zeros, and takes nothing away.
            file.unsynced.append(Change(Kind.WROTE, record.offset, b""))
        else:
            file.unsynced.append(Change(record.kind, record.offset, record.data))

    def _sync(self, record: Record) -> None:
        match record.kind:
            case Kind.SYNCED:
                file = self._file(record)
                file.sync()
                self._settle(lambda _, named: named is file)
            case Kind.FOLDER_SYNCED:
                self._settle(lambda name, _: str(Path(name).parent) == record.name)
            case Kind.ALL_SYNCED:
                for file in self._files.values():
                    file.sync()
                self._settle(lambda *_: True)
            case _:
                return

    def _settle(self, is_meant: Callable[[str, File | None], bool]) -> None:
        """Make sure of names, up to the last one that is meant: they come in their order."""
        meant = [
            number
            for number, naming in enumerate(self._unsynced, 1)
            if any(is_meant(*one) for one in naming)
        ]
        count = meant[-1] if meant else 0
        self._names = self._named(count)
        del self._unsynced[:count]

    def _named(self, count: int) -> dict[str, File]:
        names: dict[str, File | None] = dict(self._names)
        for naming in self._unsynced[:count]:
            names.update(naming)
        return {name: file for name, file in names.items() if file is not None}

    def image(self, policy: Policy, draw: random.Random) -> dict[str, bytes]:
        """Draw what is on the disk if the power fails now."""
        count = 0 if policy == "nothing" else draw.randint(0, len(self._unsynced))

        def keep(changes: list[Change]) -> list[Change]:
            match policy:
                case "nothing":
                    return []
                case "the first":
                    return changes[: draw.randint(0, len(changes))]
                case "some":
                    return [one for one in changes if draw.random() < 0.5]
                case "torn":
                    sectors = [sector for one in changes for sector in one.sectors()]
                    return [one for one in sectors if draw.random() < 0.6]

        return self._contents(self._named(count), keep)

    def everything(self) -> dict[str, bytes]:
        """Answer what is there while the power does not fail."""
        return self._contents(self._named(len(self._unsynced)), lambda changes: changes)

    @staticmethod
    def _contents(
        names: Mapping[str, File], keep: Callable[[list[Change]], list[Change]]
    ) -> dict[str, bytes]:
        # What is drawn for a file holds for each of its names.
        drawn = {id(file): file.content(keep) for file in names.values()}
        return {name: drawn[id(file)] for name, file in names.items() if not file.is_mapped}

    def mapped(self) -> list[str]:
        """Name the files that were written past the recorder and hold what is stored."""
        named = self._named(len(self._unsynced))
        return sorted(
            name
            for name, file in named.items()
            if file.is_mapped and not name.endswith(SHARED_MEMORY)
        )


def lay_out(folder: Path, image: Mapping[str, bytes]) -> None:
    """Make the folder hold these files and nothing else; its folders stay."""
    for path in folder.rglob("*"):
        if not path.is_dir() or path.is_symlink():
            path.unlink()
    for name, content in image.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
