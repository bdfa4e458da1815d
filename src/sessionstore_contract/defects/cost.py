"""Stores whose `update` is no shallow merge, or does something beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..capabilities import Capability
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


class MergesOtherwise(Wrapper):
    """Lets the store check and merge, and then puts what it makes of it in its place."""

    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        raise NotImplementedError

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        old = await self.store.get_cost_data(session_id)
        is_there = await self.store.update(session_id, cost_data=cost_data)
        if is_there and cost_data:
            messages = await self.store.load(session_id)
            await self.put(session_id, messages or [], self.merged(old, cost_data))
        return is_there


@defect("`update` replaces all of cost data.", caught_by="cost.merge-is-shallow")
class UpdateReplacesAll(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        return new


@defect("`update` merges nested objects.", caught_by="cost.merge-is-shallow")
class MergeGoesDeep(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        both = {key: self.merged(old[key], new[key]) for key in new if _are_objects(old, new, key)}
        return {**old, **new, **both}


def _are_objects(old: dict[str, Json], new: dict[str, Json], key: str) -> bool:
    return isinstance(old.get(key), dict) and isinstance(new[key], dict)


@defect("Lists under one key are joined.", caught_by="cost.merge-is-shallow")
class MergeJoinsLists(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        joined = {
            key: old[key] + value
            for key, value in new.items()
            if isinstance(value, list) and isinstance(old.get(key), list)
        }
        return {**old, **new, **joined}


@defect("The first write of a key stands.", caught_by="cost.merge-is-shallow")
class FirstWriteWins(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        return {**new, **old}


@defect("Numbers under one key are added up.", caught_by="cost.last-write-wins")
class AddsNumbersUp(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        sums = {
            key: old[key] + value
            for key, value in new.items()
            if type(value) is int and type(old.get(key)) is int
        }
        return {**old, **new, **sums}


@defect("A number stands until a larger one comes.", caught_by="cost.last-write-wins")
class KeepsTheLargerNumber(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        larger = {
            key: max(old[key], value)
            for key, value in new.items()
            if type(value) is int and type(old.get(key)) is int
        }
        return {**old, **new, **larger}


@defect("Each fifth update answers True and writes nothing.", caught_by="cost.last-write-wins")
class LosesAnUpdateNowAndThen(Wrapper):
    updates = 0

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        self.updates += 1
        if self.updates % 5 == 0:
            return await self.store.exists(session_id)
        return await self.store.update(session_id, cost_data=cost_data)


@defect("null removes its key.", caught_by="cost.null-is-a-value")
class NullRemovesItsKey(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        return {key: value for key, value in {**old, **new}.items() if value is not None}


@defect("0, False, '', [] and {} are not stored.", caught_by="cost.falsy-values-count")
class FalsyValuesAreIgnored(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        return {**old, **{key: value for key, value in new.items() if value}}


@defect("A dot in a key makes it a path.", caught_by="cost.keys-are-opaque")
class DotsInKeysArePaths(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        made = dict(old)
        for key, value in new.items():
            first, dot, rest = key.partition(".")
            made[first] = {rest: value} if dot else value
        return made


@defect("Keys that differ in case are one key.", caught_by="cost.keys-are-opaque")
class KeysIgnoreCase(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        return {**old, **{key.lower(): value for key, value in new.items()}}


@defect(
    "Cost data has room for a thousand keys.",
    caught_by="cost.many-keys-and-large-values",
)
class KeepsAThousandKeys(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        return dict(list({**old, **new}.items())[:1000])


@defect(
    "A text in cost data is cut after 65,535 characters.",
    caught_by="cost.many-keys-and-large-values",
)
class CutsLongCostTexts(MergesOtherwise):
    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        cut = {key: value[:65535] for key, value in new.items() if isinstance(value, str)}
        return {**old, **new, **cut}


@defect(
    "`update` without fields counts as activity.",
    caught_by="cost.update-without-fields-writes-nothing",
    needs={Capability.RETENTION},
)
class LookingIsActivity(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if cost_data is None:
            messages = await self.store.load(session_id)
            if messages is not None:
                await self.store.save(session_id, messages)
        return await self.store.update(session_id, cost_data=cost_data)


@defect(
    "`update` without fields answers True for a missing session.",
    caught_by="cost.update-without-fields-writes-nothing",
)
class LookingFindsEverything(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        is_there = await self.store.update(session_id, cost_data=cost_data)
        return is_there or cost_data is None


@defect("An empty update resets cost data.", caught_by="cost.empty-update-changes-nothing")
class EmptyUpdateResets(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        is_there = await self.store.update(session_id, cost_data=cost_data)
        if is_there and cost_data == {}:
            await self.put(session_id, await self.store.load(session_id), {})
        return is_there


@defect(
    "`update` of a missing session makes it.",
    caught_by="cost.update-of-missing-creates-nothing",
)
class UpdateCreates(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if cost_data and not await self.store.exists(session_id):
            await self.store.save(session_id, [])
        return await self.store.update(session_id, cost_data=cost_data)


@defect(
    "`update` of a missing session answers True.",
    caught_by="cost.update-of-missing-creates-nothing",
)
class UpdateAlwaysAnswersTrue(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> bool:
        await self.store.update(session_id, cost_data=cost_data)
        return True


@defect("`update` empties the history.", caught_by="cost.update-keeps-messages")
class UpdateEmptiesTheHistory(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        is_there = await self.store.update(session_id, cost_data=cost_data)
        if is_there and cost_data:
            await self.store.save(session_id, [])
        return is_there


@defect("Cost data starts as null.", caught_by="cost.starts-empty")
class CostDataStartsAsNull(Wrapper):
    async def get_cost_data(self, session_id: str) -> Json:
        return await self.store.get_cost_data(session_id) or None


@defect("Reading cost data takes it away.", caught_by="cost.read-does-not-consume")
class ReadingTakesCostsAway(Wrapper):
    async def get_cost_data(self, session_id: str) -> Json:
        cost_data = await self.store.get_cost_data(session_id)
        if cost_data:
            await self.put(session_id, await self.store.load(session_id) or [], {})
        return cost_data


@defect("`update` takes a list of objects.", caught_by="cost.must-be-an-object")
class UpdateTakesAList(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if not isinstance(cost_data, list):
            return await self.store.update(session_id, cost_data=cost_data)
        return all([await self.store.update(session_id, cost_data=one) for one in cost_data])


@defect(
    "`update` writes one half of the keys after the other.",
    caught_by="cost.refused-update-changes-nothing",
)
class UpdateWritesInHalves(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if not isinstance(cost_data, dict) or len(cost_data) < 2:
            return await self.store.update(session_id, cost_data=cost_data)
        keys = list(cost_data)
        for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            part = {key: cost_data[key] for key in half}
            is_there = await self.store.update(session_id, cost_data=part)
            await asyncio.sleep(0)
        return is_there
