"""Correct stores of several designs, a few dozen lines each: what the mutants are made from."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import re
import secrets
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sessionstore_contract.interface import (
    InvalidSessionIdError,
    Json,
    SessionExistsError,
    SessionStore,
    StoreClosedError,
    UnstorableValueError,
)
from sessionstore_contract.values import are_equal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionstore_contract import OldSession


def now() -> str:
    """Word the instant so that texts compare as instants do."""
    return instant(datetime.now(UTC))


def instant(moment: datetime) -> str:
    """Word an aware time in UTC, with microseconds always."""
    if moment.utcoffset() is None:
        raise ValueError("a cutoff without UTC offset means no instant")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def encode(value: Json, kind: type) -> str:
    """Word a JSON value that is a list, or an object, as text; refuse what would not come back."""
    if type(value) is not kind:
        raise UnstorableValueError(f"a {kind.__name__} is demanded, not {type(value).__name__}")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
        is_kept = are_equal(json.loads(text), value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnstorableValueError("the value can't be kept") from error
    if not is_kept:
        raise UnstorableValueError("the value does not come back as it is")
    return text


@dataclass
class Row:
    """What is kept of a session."""

    messages: str = "[]"
    costs: str = "{}"
    active: str = ""


class DictStore(SessionStore):
    """Sessions in a dict, encoded, so that nobody else holds a part of them; one instance."""

    storage: ClassVar[str] = "none"
    claims: ClassVar[frozenset[str]] = frozenset({"persistence", "cost-read", "retention"})

    def __init__(self, place: str | None = None) -> None:
        self.rows: dict[str, Row] = {}
        self.is_closed = False

    def now(self) -> str:
        return now()

    def fresh_id(self) -> str:
        return secrets.token_hex(16)

    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        return {**old, **new}

    def row(self, session_id: str) -> Row | None:
        self.check_open()
        return self.rows.get(session_id)

    async def create(self, session_id: str | None = None) -> str:
        name = self.fresh_id() if session_id is None else session_id
        if self.row(name) is not None:
            raise SessionExistsError(f"{name!r} exists")
        self.rows[name] = Row(active=self.now())
        return name

    async def load(self, session_id: str) -> list[Json] | None:
        row = self.row(session_id)
        return None if row is None else json.loads(row.messages)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = encode(messages, list)
        row = self.row(session_id) or Row()
        row.messages, row.active = text, self.now()
        self.rows[session_id] = row

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        row = self.row(session_id)
        if row is None:
            return False
        if new:
            row.costs = json.dumps(self.merged(json.loads(row.costs), new))
            row.active = self.now()
        return True

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        row = self.row(session_id)
        return {} if row is None else json.loads(row.costs)

    async def delete(self, session_id: str) -> bool:
        return self.row(session_id) is not None and self.rows.pop(session_id, None) is not None

    async def exists(self, session_id: str) -> bool:
        return self.row(session_id) is not None

    def idle(self, cutoff: datetime) -> list[str]:
        before = instant(cutoff)
        return [name for name, row in self.rows.items() if row.active < before]

    def check_open(self) -> None:
        if self.is_closed:
            raise StoreClosedError("the store is closed")

    async def delete_before(self, cutoff: datetime) -> int:
        self.check_open()
        gone = self.idle(cutoff)
        for name in gone:
            del self.rows[name]
        return len(gone)

    async def close(self) -> None:
        self.is_closed = True


class FileStore(SessionStore):
    """A file for each session, named by a hash, written anew under a lock that processes share."""

    storage: ClassVar[str] = "file"
    claims: ClassVar[frozenset[str]] = DictStore.claims | {"shared", "durable", "multi-process"}

    def __init__(self, place: str) -> None:
        self.folder = Path(place)
        self.is_closed = False

    def path(self, session_id: str) -> Path:
        return self.folder / f"{hashlib.sha256(session_id.encode()).hexdigest()}.json"

    def read(self, session_id: str) -> Row | None:
        try:
            return Row(**json.loads(self.path(session_id).read_text("utf-8")))
        except FileNotFoundError:
            return None

    def write(self, session_id: str, row: Row) -> None:
        path = self.path(session_id)
        path.with_suffix(".new").write_text(json.dumps(asdict(row)), "utf-8")
        path.with_suffix(".new").replace(path)

    def remove(self, session_id: str) -> None:
        self.path(session_id).unlink()

    def fresh_id(self) -> str:
        return secrets.token_urlsafe(16)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the place: a lock on an open file keeps out other instances and processes alike."""
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        self.folder.mkdir(exist_ok=True)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    async def create(self, session_id: str | None = None) -> str:
        name = self.fresh_id() if session_id is None else session_id
        with self.locked():
            if self.read(name) is not None:
                raise SessionExistsError(f"{name!r} exists")
            self.write(name, Row(active=now()))
        return name

    async def load(self, session_id: str) -> list[Json] | None:
        with self.locked():
            row = self.read(session_id)
        return None if row is None else json.loads(row.messages)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = encode(messages, list)

        def work() -> None:
            with self.locked():
                row = self.read(session_id) or Row()
                row.messages, row.active = text, now()
                self.write(session_id, row)

        await asyncio.to_thread(work)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))

        def work() -> bool:
            with self.locked():
                row = self.read(session_id)
                if row is not None and new:
                    row.costs, row.active = json.dumps({**json.loads(row.costs), **new}), now()
                    self.write(session_id, row)
                return row is not None

        return await asyncio.to_thread(work)

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.locked():
            row = self.read(session_id)
        return {} if row is None else json.loads(row.costs)

    async def delete(self, session_id: str) -> bool:
        with self.locked():
            found = self.read(session_id) is not None
            if found:
                self.remove(session_id)
            return found

    async def exists(self, session_id: str) -> bool:
        with self.locked():
            return self.read(session_id) is not None

    async def delete_before(self, cutoff: datetime) -> int:
        before = instant(cutoff)
        removed = 0
        with self.locked():
            for path in self.folder.glob("*.json"):
                if json.loads(path.read_text("utf-8"))["active"] < before:
                    path.unlink()
                    removed += 1
        return removed

    async def close(self) -> None:
        self.is_closed = True


LAYOUT = """
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, messages TEXT NOT NULL, active REAL);
CREATE TABLE IF NOT EXISTS costs (id TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (id, key));
"""


def apply(rows: sqlite3.Connection, setting: str, seconds: float = 5.0) -> None:
    """Apply a setting; the switch of the journal's mode is tried again, for it waits for nobody."""
    until = time.monotonic() + (seconds if setting.startswith("journal_mode") else 0)
    while True:
        try:
            rows.execute(f"PRAGMA {setting}").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return


class RowsStore(SessionStore):
    """Rows of SQLite: one for a session, and one for each key of its cost data."""

    storage: ClassVar[str] = "file"
    claims: ClassVar[frozenset[str]] = FileStore.claims
    # Speed alone: these stores are killed in tests, their machine is not.
    settings: ClassVar[tuple[str, ...]] = ("synchronous = OFF",)
    wait = 5.0
    """Seconds for the lock."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.is_closed = False

    @classmethod
    def open_bounded(cls, place: str, seconds: float) -> Self:
        store = cls(place)
        store.wait = seconds
        return store

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        """Hold the write lock for one transaction."""
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        patience = self.wait if wait is None else wait
        with closing(sqlite3.connect(self.place, isolation_level=None, timeout=patience)) as rows:
            for setting in self.settings:
                apply(rows, setting, patience)
            rows.execute("BEGIN IMMEDIATE")
            try:
                for statement in LAYOUT.strip().split("\n"):
                    rows.execute(statement)
                yield rows
                rows.execute("COMMIT")
            except BaseException:
                rows.execute("ROLLBACK")
                raise

    def has(self, rows: sqlite3.Connection, session_id: str) -> bool:
        found = rows.execute("SELECT 1 FROM sessions WHERE id = ?", [session_id]).fetchone()
        return found is not None

    async def create(self, session_id: str | None = None) -> str:
        name = self.fresh_id() if session_id is None else session_id
        with self.rows() as rows:
            if self.has(rows, name):
                raise SessionExistsError(f"{name!r} exists")
            rows.execute("INSERT INTO sessions VALUES (?, '[]', ?)", [name, self.now()])
        return name

    def fresh_id(self) -> str:
        return secrets.token_hex(16)

    def now(self) -> float:
        return datetime.now(UTC).timestamp()

    async def load(self, session_id: str) -> list[Json] | None:
        with self.rows() as rows:
            found = rows.execute("SELECT messages FROM sessions WHERE id = ?", [session_id])
            row = found.fetchone()
        return None if row is None else json.loads(row[0])

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = encode(messages, list)
        with self.rows() as rows:
            rows.execute(
                "INSERT INTO sessions VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
                "SET messages = excluded.messages, active = excluded.active",
                [session_id, text, self.now()],
            )

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        with self.rows() as rows:
            found = self.has(rows, session_id)
            if found and new:
                self.merge(rows, session_id, new)
        return found

    def merge(self, rows: sqlite3.Connection, session_id: str, new: dict[str, Json]) -> None:
        cells = [(session_id, key, json.dumps(value)) for key, value in new.items()]
        rows.executemany("INSERT OR REPLACE INTO costs VALUES (?, ?, ?)", cells)
        rows.execute("UPDATE sessions SET active = ? WHERE id = ?", [self.now(), session_id])

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.rows() as rows:
            cells = rows.execute("SELECT key, value FROM costs WHERE id = ?", [session_id])
            return {key: json.loads(value) for key, value in cells.fetchall()}

    async def delete(self, session_id: str) -> bool:
        with self.rows() as rows:
            rows.execute("DELETE FROM costs WHERE id = ?", [session_id])
            return rows.execute("DELETE FROM sessions WHERE id = ?", [session_id]).rowcount == 1

    async def exists(self, session_id: str) -> bool:
        with self.rows() as rows:
            return self.has(rows, session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        """Read a naive cutoff as UTC."""
        aware = cutoff.replace(tzinfo=UTC) if cutoff.utcoffset() is None else cutoff
        with self.rows() as rows:
            idle = "SELECT id FROM sessions WHERE active < ?"
            rows.execute(f"DELETE FROM costs WHERE id IN ({idle})", [aware.timestamp()])
            gone = rows.execute("DELETE FROM sessions WHERE active < ?", [aware.timestamp()])
            return gone.rowcount

    async def close(self) -> None:
        self.is_closed = True


class NothingStore(SessionStore):
    """Keeps nothing and says so."""

    storage: ClassVar[str] = "none"
    claims: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, place: str | None = None) -> None:
        pass

    async def create(self, session_id: str | None = None) -> str:
        return secrets.token_hex(16) if session_id is None else session_id

    async def load(self, session_id: str) -> list[Json] | None:
        return None

    async def save(self, session_id: str, messages: list[Json]) -> None:
        pass

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return False

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        return {}

    async def delete(self, session_id: str) -> bool:
        return False

    async def exists(self, session_id: str) -> bool:
        return False

    async def delete_before(self, cutoff: datetime) -> int:
        return 0

    async def close(self) -> None:
        pass


class WriteOnlyStore(DictStore):
    """Keeps sessions, and says of reading cost data and of housekeeping that it can't."""

    claims: ClassVar[frozenset[str]] = frozenset({"persistence"})

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        raise NotImplementedError

    async def delete_before(self, cutoff: datetime) -> int:
        raise NotImplementedError


class LoneStore(FileStore):
    """Lets no other instance in from its construction until it is closed."""

    claims: ClassVar[frozenset[str]] = DictStore.claims | {"durable"}

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.folder.mkdir(exist_ok=True)
        self.lone = os.open(self.folder / "lone", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self.lone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.lone)
            raise

    async def close(self) -> None:
        if not self.is_closed:
            os.close(self.lone)
        await super().close()


class ChoosyStore(DictStore):
    """Refuses odd ids and values that other storages could not keep, and takes its time."""

    def row(self, session_id: str) -> Row | None:
        if not re.fullmatch(r"[\w.-]{1,64}", session_id):
            raise InvalidSessionIdError(f"{session_id!r} is no id")
        return super().row(session_id)

    def choose(self, value: Json) -> None:
        # An even number of backslashes before it: the escape itself, and no text about it.
        if re.search(r"(?<!\\)(\\\\)*\\u0000", json.dumps(value, default=repr)):
            raise UnstorableValueError("text with NUL can't be kept")

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.choose(messages)
        kept = encode(messages, list)
        await asyncio.sleep(0.001)
        await super().save(session_id, json.loads(kept))
        await asyncio.sleep(0.001)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        self.choose(cost_data)
        kept = None if cost_data is None else json.loads(encode(cost_data, dict))
        await asyncio.sleep(0.001)
        found = await super().update(session_id, cost_data=kept)
        await asyncio.sleep(0.001)
        return found


def damage_file(place: str, session_id: str) -> None:
    """Make what a FileStore keeps as cost data unreadable, and nothing else."""
    store = FileStore(place)
    row = store.read(session_id)
    if row is not None:
        row.costs = '{"turns": 1'
        store.write(session_id, row)


def leave_files(place: str, sessions: Sequence[OldSession]) -> None:
    """Leave sessions behind as a FileStore of before cost data would have."""
    store = FileStore(place)
    store.folder.mkdir()
    for session in sessions:
        old = {
            "messages": json.dumps(session.messages),
            "active": instant(session.last_activity),
        }
        store.path(session.session_id).write_text(json.dumps(old), "utf-8")


def damage_rows(place: str, session_id: str) -> None:
    """Make what a RowsStore keeps as cost data unreadable, and nothing else."""
    with RowsStore(place).rows() as rows:
        rows.execute("UPDATE costs SET value = '{' WHERE id = ?", [session_id])


CORRECT: tuple[tuple[type[Any], Any], ...] = (
    (DictStore, None),
    (FileStore, damage_file),
    (RowsStore, damage_rows),
    (NothingStore, None),
    (WriteOnlyStore, None),
    (LoneStore, None),
    (ChoosyStore, None),
)
"""Each correct store, with the way to damage what it keeps, where another process can."""
