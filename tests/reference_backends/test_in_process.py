"""Platforms in the process of the caller, and what `open` answers on them."""

from __future__ import annotations

import pytest

from reference_backends.in_process import InProcessPlatform
from sessionstore_contract.interface import StoreUnavailableError
from tests.reference_backends.dict_store import DictStore


async def test_places_are_apart_and_stores_on_one_share_it() -> None:
    """Two stores on one place see each other, two places see nothing of each other."""
    platforms = InProcessPlatform(DictStore)
    with platforms.fresh() as here, platforms.fresh() as there:
        assert here != there
        first, second, apart = platforms.open(here), platforms.open(here), platforms.open(there)

        await first.create("a/b")

        assert await second.exists("a/b") is True
        assert await apart.exists("a/b") is False


async def test_a_place_that_is_gone_is_refused() -> None:
    """After its end a place opens no more, nor does one of another storage."""
    platforms = InProcessPlatform(DictStore)
    with platforms.fresh() as place:
        pass

    with pytest.raises(ValueError, match="no place"):
        platforms.open(place)
    with platforms.fresh() as place:
        platforms.close()
        with pytest.raises(ValueError, match="no place"):
            InProcessPlatform().open(place)


async def test_the_token_is_on_both_sides() -> None:
    """Stores that the storage opens have the token, others are not let in."""
    guarded = InProcessPlatform(DictStore, token="secret")
    open_to_all = InProcessPlatform(DictStore)
    open_to_all._apps = guarded._apps
    with guarded.fresh() as place:
        assert await guarded.open(place).create("s") == "s"
        with pytest.raises(StoreUnavailableError, match="401"):
            await open_to_all.open(place).load("s")
    assert guarded.server() == "platform in process"
