"""Chat sessions in Redis: a text of messages, a hash of cost data, and one index by activity."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACTIVITY = "chats:activity"
"""Every session, by the microsecond of its last activity."""

AT_ONCE = 200
"""Sessions that one script removes: Redis serves nobody else meanwhile."""

# Scripts, for each is one step to Redis: nobody sees half of it, and nobody comes between. The
# clock is the server's, the same one for all clients.
_NOW = "local t = redis.call('TIME') local now = t[1] * 1000000 + t[2] "

_CREATE = (
    _NOW
    + """
if redis.call('SET', KEYS[1], '[]', 'NX') == false then return 0 end
redis.call('ZADD', KEYS[3], now, ARGV[1])
return 1
"""
)
_SAVE = (
    _NOW
    + """
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[3], now, ARGV[1])
"""
)
_UPDATE = (
    _NOW
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', KEYS[3], now, ARGV[1])
return 1
"""
)
_DELETE = """
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])
"""
_DELETE_BEFORE = """
local idle = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, id in ipairs(idle) do redis.call('DEL', 'chats:m:' .. id, 'chats:c:' .. id) end
if #idle > 0 then redis.call('ZREM', KEYS[1], unpack(idle)) end
return #idle
"""


class SessionExistsError(Exception):
    """`create` was given the id of a session that exists."""


class StoreClosedError(Exception):
    """The store was closed."""


class RedisStore:
    """Keeps sessions in the Redis database at `url`, for any number of instances and processes.

    What was acknowledged outlives the server where it runs with `appendonly yes` and
    `appendfsync always`. A store belongs to the event loop that uses it first.
    """

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=100,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # Trying again is the caller's: a `create` whose answer was lost has worked.
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis.from_pool(pool)
        self._create, self._save, self._update, self._delete, self._delete_before = (
            self._redis.register_script(script)
            for script in (_CREATE, _SAVE, _UPDATE, _DELETE, _DELETE_BEFORE)
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def create(self, session_id: str | None = None) -> str:
        session = secrets.token_hex(16) if session_id is None else session_id
        if not await self._run(self._create(_keys(session), [session])):
            raise SessionExistsError(f"session {session!r} exists")
        return session

    async def load(self, session_id: str) -> list[Any] | None:
        text = await self._run(self._redis.get(_keys(session_id)[0]))
        return None if text is None else json.loads(text)

    async def save(self, session_id: str, messages: list[Any]) -> None:
        keys = _keys(session_id)
        if not isinstance(messages, list):
            raise TypeError(f"messages are a list, not {type(messages).__name__}")
        await self._run(self._save(keys, [session_id, worded(messages)]))

    async def update(self, session_id: str, *, cost_data: dict[str, Any] | None = None) -> bool:
        keys = _keys(session_id)
        if cost_data is not None and not isinstance(cost_data, dict):
            raise TypeError(f"cost data is an object, not {type(cost_data).__name__}")
        if not cost_data:
            return await self.exists(session_id)
        # A field for each key: Redis itself replaces what is given, and leaves the rest.
        checked(cost_data)
        fields = [text for key, value in cost_data.items() for text in (key, worded(value))]
        return bool(await self._run(self._update(keys, [session_id, *fields])))

    async def get_cost_data(self, session_id: str) -> dict[str, Any]:
        found = await self._run(self._redis.hgetall(_keys(session_id)[1]))
        return {key.decode(): json.loads(text) for key, text in found.items()}

    async def delete(self, session_id: str) -> bool:
        return bool(await self._run(self._delete(_keys(session_id), [session_id])))

    async def exists(self, session_id: str) -> bool:
        return bool(await self._run(self._redis.exists(_keys(session_id)[0])))

    async def delete_before(self, cutoff: datetime) -> int:
        if cutoff.tzinfo is None:
            raise ValueError("the cutoff has no time zone: name it")
        since = cutoff - EPOCH
        microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        removed = 0
        while True:
            # The bracket: strictly before.
            count = await self._run(self._delete_before([ACTIVITY], [f"({microseconds}", AT_ONCE]))
            removed += count
            if count < AT_ONCE:
                return removed

    async def close(self) -> None:
        """Wait for what is under way, then close every connection; what comes later raises."""
        self._is_closed = True
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def _run(self, command: Coroutine[Any, Any, T]) -> T:
        """Have the command answered, and come back when it is, also when cancelled."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._is_closed or self._loop is not loop:
            command.close()
            why = "was closed" if self._is_closed else "belongs to another event loop"
            raise StoreClosedError(f"the store {why}: open another one")
        task = loop.create_task(command)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Else what was sent would take effect when its caller believes that it is over.
            while not task.done():
                try:
                    await asyncio.wait({task})
                except asyncio.CancelledError:
                    continue
            task.cancelled() or task.exception()
            raise


def _keys(session_id: str) -> list[str]:
    """Name the keys of a session; raise where the id can name none."""
    if not isinstance(session_id, str) or not session_id:
        raise ValueError(f"a session id is a text, and not empty: {session_id!r}")
    session_id.encode()  # which refuses half of a surrogate pair
    return [f"chats:m:{session_id}", f"chats:c:{session_id}", ACTIVITY]


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


def worded(value: Any) -> bytes:
    """Word a value as JSON; raise where it could not be read again as it is."""
    return json.dumps(checked(value), ensure_ascii=False, allow_nan=False).encode()
