"""The benchmark: its arithmetic, its document, its picture, and that it runs; never how fast."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from reference_backends.memory import MemorySessionStore
from sessionstore_contract import Backend
from sessionstore_contract.bench.contender import NoRivalError, bare_driver, of_backend
from sessionstore_contract.bench.contest import Contest, Extent
from sessionstore_contract.bench.figures import Spread, throughput_ratios
from sessionstore_contract.bench.plot import Line, svg
from sessionstore_contract.bench.workload import Cell
from sessionstore_contract.cli import main
from sessionstore_contract.interface import StoreClosedError, UnstorableValueError

TINY = ["--quick", "--rounds", "2", "--messages", "1", "--messages", "3", "--callers", "2"]


class Forgetful(MemorySessionStore):
    """A store from before cost data could be read."""

    async def get_cost_data(self, _session_id: str) -> dict[str, Any]:
        raise NotImplementedError("no such column")


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["bench", *words], catch_exceptions=False)
    return done.exit_code, done.output


def test_the_spread_is_the_median_and_the_quartiles() -> None:
    """Of five values the quartiles are the second and the fourth."""
    assert Spread.of([5.0, 1.0, 4.0, 2.0, 3.0]) == Spread(3.0, 2.0, 4.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)
    assert Spread(3.0, 2.0, 4.0).times(10).rounded(1) == {"median": 30, "lower": 20, "upper": 40}


def test_a_ratio_is_of_throughputs_pair_by_pair() -> None:
    """Half the time is twice the throughput; a pair that was slow as a whole changes nothing."""
    assert throughput_ratios([1.0, 10.0], [2.0, 20.0]) == [2.0, 2.0]
    with pytest.raises(ValueError, match="argument"):
        throughput_ratios([1.0], [1.0, 2.0])


def processors_of_threads() -> set[frozenset[int]]:
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # one of another test's may have ended since
            found.add(frozenset(os.sched_getaffinity(int(thread.name))))
    return found


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no such call")
@pytest.mark.parametrize(("callers", "is_on_one"), [(1, True), (2, False), (1, False)])
async def test_one_caller_is_measured_on_one_processor(callers: int, is_on_one: bool) -> None:
    """Also the threads of its store, and only for so long; who is to be let alone is."""
    before = os.sched_getaffinity(0)
    seen: set[int] = set()

    class Watching(MemorySessionStore):
        async def exists(self, session_id: str) -> bool:
            seen.update(map(len, processors_of_threads()))
            started.append(threading.Thread(target=ended.wait))
            started[-1].start()
            return await super().exists(session_id)

    started: list[threading.Thread] = []
    ended = threading.Event()
    contest = Contest(Watching(), MemorySessionStore(), Random(1))
    try:
        extent = Extent(("exists",), (1,), (callers,), 1, 0.0, is_on_one or callers > 1)
        result = await contest.measure(Cell("exists", 1, callers), extent)
        assert result.figures is not None
        assert seen == {1 if is_on_one else len(before)}
        assert processors_of_threads() == {frozenset(before)}
    finally:
        ended.set()
        for thread in started:
            thread.join()


async def test_a_store_that_refuses_is_closed_too() -> None:
    """A long history may be more than it takes, and a shorter one is tried with another store."""
    store = MemorySessionStore()
    contender = of_backend(Backend("mine", open=lambda: store, storage="none"))
    with pytest.raises(UnstorableValueError):
        async with contender.opened(None) as opened:
            await opened.save("one", [float("nan")])

    with pytest.raises(StoreClosedError):
        await store.exists("one")


EVERY = ("save", "load", "update", "get_cost_data", "exists")


@pytest.mark.parametrize(
    ("target", "operations"), [("memory", EVERY), ("sqlite", ("save", "load")), ("http", ("save",))]
)
def test_it_runs_and_writes_what_it_measured(
    target: str, operations: tuple[str, ...], tmp_path: Path
) -> None:
    """Each cell has figures of both, and a ratio with its quartiles."""
    path, picture = tmp_path / "deeper" / "bench.json", tmp_path / "bench.svg"
    words = ["--operation", ",".join(operations), "--json", str(path), "--plot", str(picture)]
    words += ["--any-processor"] if target == "memory" else []
    code, said = run(target, *TINY, "--seed", "5", *words)
    assert code == 0, said
    found = json.loads(path.read_text())
    assert (found["schema"], found["seed"], found["rounds"]) == (1, 5, 2)
    assert found["one_processor"] is (target != "memory")
    (measured,) = found["targets"]
    assert measured["name"] == target
    cells = measured["cells"]
    assert [(one["operation"], one["messages"]) for one in cells] == [
        (operation, messages) for messages in (1, 3) for operation in operations
    ]
    for one in cells:
        ratio = one["throughput_ratio"]
        assert 0 < ratio["lower"] <= ratio["median"] <= ratio["upper"]
        assert one["microseconds"]["median"] > 0
        assert one["rival_microseconds"]["median"] > 0
    long = measured["long_history"]
    assert 0.2 < long["megabytes"] < 0.3
    assert set(long["longest_stall_ms"]) == {"save", "load"}
    assert set(long["slowdown"]) == {"update", "get_cost_data"}
    assert ET.fromstring(picture.read_text()).tag.endswith("svg")


def test_a_store_is_held_against_another() -> None:
    """With --against the rival is a store and not the driver."""
    code, said = run("memory", "--against", "memory", *TINY, "--operation", "exists", "--seed", "1")
    assert code == 0, said
    assert "memory next to memory" in said


def test_what_a_store_does_not_do_is_said(tmp_path: Path) -> None:
    """Such a cell has a reason and no figures, and the others are measured."""
    path = tmp_path / "bench.json"
    words = ["--storage", "none", "--operation", "get_cost_data,exists", "--json", str(path)]
    code, said = run("tests.test_bench:Forgetful", *TINY, *words)
    assert code == 0, said
    (measured,) = json.loads(path.read_text())["targets"]
    assert measured["long_history"] is None
    assert [one.get("reason") for one in measured["cells"]] == ["no such column", None] * 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sqlit"], "no backend 'sqlit'; did you mean sqlite?"),
        (["memory", "--operation", "lod"], "no operation 'lod'; did you mean load?"),
        (["memory", "--against", "nowhere:Store"], "nowhere"),
        (["memory", *TINY, "--json", "/dev/null/bench.json"], "Not a directory"),
    ],
)
def test_a_mistake_is_told_in_one_line(words: list[str], told: str) -> None:
    """Exit code 2, and no traceback."""
    code, said = run(*words)
    assert code == 2
    assert told in said
    assert "Traceback" not in said


def test_a_picture_leaves_out_what_has_no_place_on_its_scales() -> None:
    """Nought has no logarithm, and a name may hold what XML would take for its own."""
    drawn = svg("a < b", "size", "ms", [Line("x & y", [(0.0, 1.0), (1.0, 2.0), (100.0, 20.0)])])
    root = ET.fromstring(drawn)
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "x & y" in texts
    assert "a < b" in texts
    assert len([one for one in root.iter() if one.tag.endswith("circle")]) == 2


def test_a_driver_that_is_missing_is_told_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Installed without extras the kit has nothing to measure against on files."""
    monkeypatch.delitem(sys.modules, "sessionstore_contract.bench.bare_sqlite", raising=False)
    monkeypatch.setitem(sys.modules, "aiosqlite", None)
    with pytest.raises(NoRivalError, match=r"pip install 'sessionstore-contract\[sqlite\]'$"):
        bare_driver(Backend("mine", open=str))
