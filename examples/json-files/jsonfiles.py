"""Chat sessions as JSON files: a folder for each session, in it its messages and its cost data."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

MESSAGES = "messages.json"
COST_DATA = "cost_data.json"
LOCKS = 16
"""Lock files of a store. Sessions that share one wait for each other's writes."""


class SessionExistsError(Exception):
    """`create` was given the id of a session that exists."""


class StoreClosedError(Exception):
    """The store was closed."""


class JsonFileStore:
    """Keeps sessions under a folder, for any number of tasks, threads and processes.

    A file is replaced whole, and is on the disk before a write is acknowledged. Who writes a
    session holds its lock file; who reads needs none.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder).absolute()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="json-files")
        self._is_closed = False

    async def create(self, session_id: str | None = None) -> str:
        session = secrets.token_hex(16) if session_id is None else checked_id(session_id)
        await self._run(self._create, session)
        return session

    async def load(self, session_id: str) -> list[Any] | None:
        found = await self._run(_read, self._path(session_id) / MESSAGES)
        return None if found is None else found["messages"]

    async def save(self, session_id: str, messages: list[Any]) -> None:
        path = self._path(session_id)
        if not isinstance(messages, list):
            raise TypeError(f"messages are a list, not {type(messages).__name__}")
        # Worded here, not in the thread: by then the caller may have changed the list.
        await self._run(self._save, path, _worded(session_id, messages=messages))

    async def update(self, session_id: str, *, cost_data: dict[str, Any] | None = None) -> bool:
        path = self._path(session_id)
        if not cost_data and (cost_data is None or isinstance(cost_data, dict)):
            return await self.exists(session_id)
        if not isinstance(cost_data, dict):
            raise TypeError(f"cost data is an object, not {type(cost_data).__name__}")
        changes = json.loads(_worded(session_id, cost_data=cost_data))["cost_data"]
        return await self._run(self._merge, path, session_id, changes)

    async def get_cost_data(self, session_id: str) -> dict[str, Any]:
        found = await self._run(_read, self._path(session_id) / COST_DATA)
        return {} if found is None else found["cost_data"]

    async def delete(self, session_id: str) -> bool:
        return await self._run(self._delete, self._path(session_id), None)

    async def exists(self, session_id: str) -> bool:
        return await self._run(_exists, self._path(session_id))

    async def delete_before(self, cutoff: datetime) -> int:
        if cutoff.tzinfo is None:
            raise ValueError("the cutoff has no time zone: name it")
        return await self._run(self._delete_before, cutoff)

    async def close(self) -> None:
        """Wait for what is under way; what comes later raises."""
        self._is_closed = True
        await asyncio.to_thread(self._threads.shutdown)

    # in a thread --------------------------------------------------------------------------------

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do the work in a thread, and come back when it is done, also when cancelled."""
        if self._is_closed:
            raise StoreClosedError("the store was closed: open another one")
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # Else the write would land when its caller believes that it is over.
            while not future.done():
                try:
                    await asyncio.wait({future})
                except asyncio.CancelledError:
                    continue
            future.cancelled() or future.exception()
            raise

    def _create(self, session_id: str) -> None:
        path = self._path(session_id)
        with self._locked(path):
            if path.is_dir():
                raise SessionExistsError(f"session {session_id!r} exists")
            self._make(path, _worded(session_id, messages=[]))

    def _save(self, path: Path, messages: bytes) -> None:
        with self._locked(path):
            if path.is_dir():
                _replace(path / MESSAGES, messages)
            else:
                self._make(path, messages)

    def _merge(self, path: Path, session_id: str, changes: dict[str, Any]) -> bool:
        with self._locked(path):
            found = _read(path / COST_DATA)
            if found is None:
                return False
            merged = {**found["cost_data"], **changes}
            _replace(path / COST_DATA, _worded(session_id, cost_data=merged))
            return True

    def _delete(self, path: Path, cutoff: datetime | None) -> bool:
        with self._locked(path):
            if not path.is_dir() or (cutoff is not None and _last_activity(path) >= cutoff):
                return False
            # One rename is the deletion; the files go when nobody can find them any more.
            gone = path.with_name(f"gone-{secrets.token_hex(8)}")
            path.rename(gone)
            _sync(path.parent)
            shutil.rmtree(gone, ignore_errors=True)
            return True

    def _delete_before(self, cutoff: datetime) -> int:
        folders = self._folder.glob("session-*")
        return sum(self._delete(path, cutoff) for path in folders)

    def _make(self, path: Path, messages: bytes) -> None:
        """Make the session whole, under a name that nobody looks for, then give it its own."""
        made = path.with_name(f"made-{secrets.token_hex(8)}")
        made.mkdir()
        try:
            _write(made / MESSAGES, messages)
            _write(made / COST_DATA, _worded(json.loads(messages)["session_id"], cost_data={}))
            _sync(made)
            made.rename(path)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        _sync(path.parent)

    def _path(self, session_id: str) -> Path:
        # A digest: ids are of any length, and may hold what no file name may.
        digest = hashlib.sha256(checked_id(session_id).encode()).hexdigest()
        return self._folder / f"session-{digest}"

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        number = int(path.name[-8:], 16) % LOCKS
        descriptor = os.open(self._folder / f"lock-{number}", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # which gives the lock back, as the end of the process does


def checked_id(session_id: str) -> str:
    """Answer the id; raise where it can name no session."""
    if not isinstance(session_id, str) or not session_id:
        raise ValueError(f"a session id is a text, and not empty: {session_id!r}")
    session_id.encode()  # which refuses half of a surrogate pair
    return session_id


def checked(value: Any) -> Any:
    """Answer the value; raise where JSON would not keep it as it is."""
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key is a text, not {key!r}")
            checked(member)
    elif isinstance(value, list):
        for member in value:
            checked(member)
    elif value is not None and not isinstance(value, (str, int, float)):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return value


def _worded(session_id: str, **member: Any) -> bytes:
    document = {
        "session_id": session_id,
        "updated_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        **checked(member),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def _read(path: Path) -> Any:
    """Read a file; None where the session is missing, and in no other case."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def _exists(path: Path) -> bool:
    """Whether a session is there; `is_dir` would say no where nobody may look."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _last_activity(path: Path) -> datetime:
    times = (_read(path / name)["updated_at"] for name in (MESSAGES, COST_DATA))
    return max(map(datetime.fromisoformat, times))


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f"new-{secrets.token_hex(8)}")
    try:
        _write(new, content)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
