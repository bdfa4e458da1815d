"""The contract, tried on the Redis store."""

from redis_server import RedisStorage
from redisstore import RedisStore

from sessionstore_contract import Backend, contract_tests

test_redisstore = contract_tests(
    Backend(
        "redis",
        open=RedisStore,
        open_bounded=lambda url, seconds: RedisStore(url, timeout=seconds),
        storage=RedisStorage(),
        adding=["census", "faults"],
    )
)
