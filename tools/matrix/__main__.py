"""Try the contract in every lane, and say of each what came out; `make matrix`.

    python -m tools.matrix [LANE ...] [--folder build/matrix] [--effort normal] [--all-required]

Exit code: 1 when a lane failed, or when one is lacking and all are required; otherwise 0.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.matrix.database import served
from tools.matrix.environment import ROOT, LackingError, build_wheel, prepare
from tools.matrix.lanes import Lane, named

if TYPE_CHECKING:
    from collections.abc import Iterator

TEST_FILE = """
from reference_backends import {backend}
from sessionstore_contract import contract_tests

test_contract = contract_tests({backend})
"""

DOORS = {"alone": (), "xdist": ("-n", "2")}
"""How pytest tries the contract: in one process, and in two."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("lanes", nargs="*", metavar="LANE")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "matrix")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--all-required", action="store_true", help="a lane may not be lacking")
    asked = parser.parse_args()
    wheel = build_wheel(asked.folder / "wheel")
    outcomes = {}
    for lane in named(asked.lanes):
        outcomes[lane.name] = _try(lane, wheel, asked.folder, asked.effort)
        print(f"{lane.name}: {outcomes[lane.name]['outcome']}", flush=True)
    return _conclude(outcomes, is_all_required=asked.all_required)


def _conclude(outcomes: dict[str, dict[str, Any]], *, is_all_required: bool) -> int:
    by_outcome = {
        kind: [name for name, one in outcomes.items() if one["outcome"].startswith(kind)]
        for kind in ("passed", "failed", "lacking")
    }
    for kind, names in by_outcome.items():
        print(f"matrix: {len(names)} of {len(outcomes)} lanes {kind}: {', '.join(names) or '-'}")
    return int(bool(by_outcome["failed"] or (is_all_required and by_outcome["lacking"])))


def _try(lane: Lane, wheel: Path, folder: Path, effort: str) -> dict[str, Any]:
    results = folder / "reports" / lane.name
    results.mkdir(parents=True, exist_ok=True)
    for old in results.iterdir():
        old.unlink()
    said: dict[str, Any] = {"lane": lane.name, "says": lane.says, "pytest": {}}
    try:
        python = prepare(lane, wheel, folder / "environments" / lane.name)
        with served(lane.postgres, python) as postgres, _empty_folder() as empty:
            trial = _Trial(lane, python, postgres, effort, empty, results)
            code = trial.run()
            said["pytest"] = {door: trial.through_pytest(how) for door, how in DOORS.items()}
        is_passed = code == 0 and all("; failed" not in one for one in said["pytest"].values())
        said["outcome"] = "passed" if is_passed else f"failed: see {results}"
    except LackingError as error:
        said["outcome"] = f"lacking: {error}"
    (results / "lane.json").write_text(json.dumps(said, indent=1) + "\n")
    return said


@dataclass(frozen=True)
class _Trial:
    """A lane whose environment and database are there."""

    lane: Lane
    python: Path
    postgres: str
    effort: str
    empty: Path
    """Where it runs: nothing of the project's sources is seen from there."""
    results: Path

    def run(self) -> int:
        """Try the contract by the command, and answer its exit code."""
        command = [str(self.python), "-m", "sessionstore_contract", "run", *self.lane.targets]
        command += ["--postgres", self.postgres, "--effort", self.effort]
        command += ["--json", str(self.results / "report.json")]
        return _logged(command, self.empty, self.results / "run.log")

    def through_pytest(self, options: tuple[str, ...]) -> str:
        """Try it as an author's test function, and answer what pytest counts."""
        backend = "SQLITE" if "sqlite" in self.lane.targets else "POSTGRES"
        (self.empty / "test_contract.py").write_text(TEST_FILE.format(backend=backend))
        command = [str(self.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
        command += ["-o", "asyncio_default_fixture_loop_scope=function", *options]
        command += [f"--sessionstore-postgres={self.postgres}"]
        command += [f"--sessionstore-effort={self.effort}"]
        log = self.results / f"pytest{''.join(options)}.log"
        code = _logged(command, self.empty, log)
        counts = re.findall(r"\d+ (?:passed|failed|skipped|xfailed|errors?)", log.read_text())
        return ", ".join(counts[-4:]) + ("" if code == 0 else f"; failed with exit code {code}")


def _logged(command: list[str], folder: Path, log: Path) -> int:
    # What the caller has said of Python is not for the lane's.
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "SESSIONSTORE_POSTGRES_DSN"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    with log.open("w") as output:
        return subprocess.run(
            command, cwd=folder, env=environment, stdout=output, stderr=output, check=False
        ).returncode


@contextlib.contextmanager
def _empty_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sessionstore-matrix-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    raise SystemExit(main())
