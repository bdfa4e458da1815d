"""The matrix: what its lanes are made of, and the table of what came out."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from tools.matrix.environment import oldest
from tools.matrix.lanes import LANES
from tools.matrix.page import page

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text()

REPORT = {
    "environment": {"python": "3.12.1", "packages": {"pytest": "8.4.0", "httpx": "0.27.0"}},
    "effort": "normal",
    "started_at": "2026-01-02T03:04:05+00:00",
    "backends": [
        {
            "name": "sqlite",
            "server": "SQLite 3.51.1",
            "counts": {"held": 3, "violated": 1, "inconclusive": 0, "not applicable": 9},
            "clauses": [
                {"id": "cost.a", "verdict": "held", "headline": None, "reason": None},
                {"id": "cost.b", "verdict": "violated", "headline": "it forgets", "reason": None},
            ],
        }
    ],
}


def test_every_supported_python_has_a_lane() -> None:
    """A classifier is a claim, and a lane what shows it."""
    classifiers = tomllib.loads(PROJECT)["project"]["classifiers"]
    claimed = {one.rpartition(" ")[2] for one in classifiers if re.search(r"3\.\d+$", one)}
    assert claimed <= {lane.python for lane in LANES}


def test_the_oldest_packages_are_the_lower_bounds() -> None:
    """Of the dependencies and of every extra; a dependency without a bound would be missing."""
    project = tomllib.loads(PROJECT)["project"]
    extras = project["optional-dependencies"]
    wanted = {*project["dependencies"], *(one for name in extras for one in extras[name])}
    names = {re.split(r"[>=\[]", one)[0] for one in wanted} - {"sessionstore-contract"}
    bounds = oldest(PROJECT)
    assert {one.partition("==")[0] for one in bounds} == names
    assert "pytest==8.4" in bounds


def write(folder: Path, lane: str, report: dict[str, Any] | None, **said: Any) -> None:
    (folder / lane).mkdir(parents=True)
    told = {"lane": lane, "says": lane, "pytest": {}, "outcome": "passed", **said}
    (folder / lane / "lane.json").write_text(json.dumps(told))
    if report is not None:
        (folder / lane / "report.json").write_text(json.dumps(report))


def test_the_table_shows_each_lane_and_counts_what_is_lacking(tmp_path: Path) -> None:
    """A violation is seen in it, and a lane that was not tried is not left out."""
    doors = {"alone": "3 passed", "xdist": "2 passed, 1 failed; failed with exit code 1"}
    write(tmp_path, "sqlite-newest", REPORT, outcome="failed: see there", pytest=doors)
    write(tmp_path, "postgresql-17", None, outcome="lacking: there is no image postgres:17")
    text = page(tmp_path)
    cells = "|  |  | 3 held, 1 violated |  |  | 3 passed | 2 passed, 1 failed; failed with exit"
    assert f"| sqlite-newest {cells}" in text
    assert "| sqlite-newest | 3.12.1 | SQLite 3.51.1 | 8.4.0 |  |  |  | 0.27.0 |" in text
    assert "- `cost.b` violated: it forgets. sqlite-newest (sqlite)." in text
    assert "cost.a" not in text
    # A table begins after an empty line, or it is none.
    assert text.count("\n\n| Lane |") == 2
    assert f"1 of {len(LANES)} lanes were tried." in text
    assert "- postgresql-17: not tried; there is no image postgres:17" in text
    assert "- Python 3.12: not tried; it was not asked for" in text
