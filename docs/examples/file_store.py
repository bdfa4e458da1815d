"""A session store that keeps each session in a JSON file of its own."""

import asyncio
import fcntl
import hashlib
import json
import os
import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sessionstore_contract.interface import (
    SessionExistsError,
    StoreClosedError,
    UnstorableValueError,
)


def checked(value, kind):
    """Answer a copy of the value; refuse what would not come back from JSON as it is."""
    try:
        if not isinstance(value, kind) or not is_json(value):
            raise ValueError(f"not a {kind.__name__} of JSON values")
        copy = json.loads(json.dumps(value, allow_nan=False))
        if copy != value:  # two halves of a character have become one
            raise ValueError("a text that JSON changes")
    except (ValueError, RecursionError) as error:
        raise UnstorableValueError("the value can't be kept exactly") from error
    return copy


def is_json(value):
    """Answer whether Python's json gives the value back: it makes text of keys, lists of tuples."""
    if isinstance(value, dict):
        return all(type(key) is str and is_json(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(is_json, value))
    return value is None or type(value) in {bool, int, float, str}


class FileStore:
    """Opened on a folder, which is made when it is needed."""

    def __init__(self, place):
        self.folder = Path(place)
        self.is_closed = False

    def path(self, session_id):
        name = hashlib.sha256(session_id.encode()).hexdigest()
        return self.folder / f"{name}.json"

    def read(self, session_id):
        try:
            return json.loads(self.path(session_id).read_text("utf-8"))
        except FileNotFoundError:
            return None

    def write(self, session_id, session):
        session["active"] = datetime.now(UTC).timestamp()
        path = self.path(session_id)
        new = path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(session, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    @contextmanager
    def locked(self):
        """Hold the folder: no other instance and no other process is in it meanwhile."""
        if self.is_closed:
            raise StoreClosedError("the store was closed: open another one")
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    async def alone(self, work):
        """Do the work in a thread, so that the event loop goes on, and under the lock."""

        def do():
            with self.locked():
                return work()

        return await asyncio.to_thread(do)

    async def create(self, session_id=None):
        session_id = secrets.token_hex(16) if session_id is None else session_id

        def work():
            if self.read(session_id) is not None:
                raise SessionExistsError(f"session {session_id!r} exists")
            self.write(session_id, {"messages": [], "cost_data": {}})

        await self.alone(work)
        return session_id

    async def load(self, session_id):
        session = await self.alone(lambda: self.read(session_id))
        return None if session is None else session["messages"]

    async def save(self, session_id, messages):
        messages = checked(messages, list)

        def work():
            session = self.read(session_id) or {"cost_data": {}}
            self.write(session_id, {**session, "messages": messages})

        await self.alone(work)

    async def update(self, session_id, *, cost_data=None):
        new = {} if cost_data is None else checked(cost_data, dict)

        def work():
            session = self.read(session_id)
            if session is not None and new:
                session["cost_data"].update(new)
                self.write(session_id, session)
            return session is not None

        return await self.alone(work)

    async def get_cost_data(self, session_id):
        session = await self.alone(lambda: self.read(session_id))
        return {} if session is None else session["cost_data"]

    async def delete(self, session_id):
        def work():
            existed = self.path(session_id).exists()
            self.path(session_id).unlink(missing_ok=True)
            return existed

        return await self.alone(work)

    async def exists(self, session_id):
        return await self.alone(lambda: self.path(session_id).exists())

    async def delete_before(self, cutoff):
        if cutoff.utcoffset() is None:
            raise ValueError(f"the cutoff {cutoff.isoformat()} has no UTC offset")

        def work():
            old = [
                path
                for path in self.folder.glob("*.json")
                if json.loads(path.read_text("utf-8"))["active"] < cutoff.timestamp()
            ]
            for path in old:
                path.unlink()
            return len(old)

        return await self.alone(work)

    async def close(self):
        self.is_closed = True
