"""Try the contract on the stores of others, and hold what is found against what is expected.

    python downstream/run.py FOLDER

In an environment with their package and the kit; the reports go to FOLDER.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findings import Expected, expected, what_programs_show

from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.platform import PlatformStorage

if TYPE_CHECKING:
    from collections.abc import Iterable

UNDECIDED = {"inconclusive", "faulted"}
COMMAND = [sys.executable, "-m", "sessionstore_contract"]
HERE = Path(__file__).parent


def main(folder: Path) -> int:
    """Try all of them; answer 1 where anything is not as expected."""
    folder.mkdir(parents=True, exist_ok=True)
    complaints: list[str] = []
    for store in expected():
        verdicts = _tried(store, folder)
        complaints += [f"{store.name}: {one}" for one in _compared(store, verdicts)]
        counts = {kind: [*verdicts.values()].count(kind) for kind in sorted({*verdicts.values()})}
        print(f"{store.name}: {', '.join(f'{n} {kind}' for kind, n in counts.items())}", flush=True)
    if not _programs_show_it():
        complaints.append("programs.py: not every program shows what it is to show")
    for one in complaints:
        print(f"downstream: {one}", file=sys.stderr)
    print(f"downstream: {len(complaints)} not as docs/findings.md says")
    return 1 if complaints else 0


def _tried(store: Expected, folder: Path) -> dict[str, str]:
    """Answer the verdict of each clause; what one defect hid in the whole run is tried alone."""
    verdicts = _verdicts(store, folder / f"{store.name}.json")
    left = [clause for clause, verdict in verdicts.items() if verdict in UNDECIDED]

    def alone(clause: str) -> str:
        report = folder / store.name / f"{clause}.json"
        report.parent.mkdir(exist_ok=True)
        workers = ["-n", "1"] if store.command == "run" else []
        return _verdicts(store, report, "--clause", clause, *workers)[clause]

    with ThreadPoolExecutor(2) as two:
        return verdicts | dict(zip(left, two.map(alone, left), strict=True))


def _verdicts(store: Expected, report: Path, *options: str) -> dict[str, str]:
    report.unlink(missing_ok=True)
    command = [*COMMAND, store.command, store.target, *store.options, *options]
    command += ["--seed", "1", "--json", str(report)]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    log = report.with_suffix(".txt")
    with log.open("wb") as said:
        subprocess.run(command, stdout=said, stderr=said, env=environment, check=False)
    if not report.exists():
        raise SystemExit(f"downstream: {store.name}: no report: {log.read_text()[-2000:]}")
    (backend,) = json.loads(report.read_text(encoding="utf-8"))["backends"]
    found: list[dict[str, Any]] = backend["clauses"]
    return {one["id"]: one["verdict"] for one in found}


def _compared(store: Expected, verdicts: dict[str, str]) -> Iterable[str]:
    for clause, verdict in verdicts.items():
        if verdict == "violated" and clause not in store.findings:
            yield f"{clause} is violated, and was not: see whether it is so"
        if verdict != "violated" and clause in store.violated:
            yield f"{clause} was violated, and now is {verdict}"
    yield from (f"there is no clause {one}" for one in {*store.findings} - {*verdicts})


def _programs_show_it() -> bool:
    used = {program for store in expected() for program in store.findings.values()}
    if used != {*what_programs_show()}:
        print(f"programs: {sorted(used ^ {*what_programs_show()})} on one side only")
        return False
    server, platform = EmbeddedServer.join(Path(tempfile.mkdtemp())), PlatformStorage()
    try:
        with platform.fresh() as url:
            programs = [sys.executable, str(Path(__file__).with_name("programs.py"))]
            environment = {**os.environ, "DSN": server.dsn, "PLATFORM": url}
            return subprocess.run(programs, env=environment, check=False).returncode == 0
    finally:
        server.leave()
        platform.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
