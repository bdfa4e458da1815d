"""A fork of the command's process is like a new process, or there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere every process of a run is a new interpreter"
)

MODULE = """
import json, os, random, signal, sys, tempfile, threading

def main():
    known = {0, 1, 2, int(sys.argv[1])}
    said = {
        "arguments": sys.argv[2:],
        "environment": {name: os.environ.get(name) for name in ("GIVEN", "TAKEN", "TMPDIR")},
        "folder": os.getcwd(),
        "first looked in": sys.path[0],
        "temporary files": tempfile.gettempdir(),
        "input": sys.stdin.read(),
        "session": os.getsid(0) == os.getpid(),
        "threads": threading.active_count(),
        "signals": [str(signal.getsignal(one)) for one in (2, 1, 15, 13, 17)],
        # The first one is what the folder is read with.
        "held": [one for one in map(int, os.listdir("/proc/self/fd")) if one not in known][1:],
        "drawn": random.random(),
    }
    print("printed")
    os.write(int(sys.argv[1]), json.dumps(said).encode())

if __name__ == "__main__":
    main()
"""

STARTING = """
import json, os, signal, sys, tempfile, threading
sys.path.append({folder!r})
from sessionstore_contract import starting
import tells_of_itself

starting.OURS |= {{"tells_of_itself"}}
os.environ["TAKEN"] = "x"
tempfile.gettempdir()
signal.signal(signal.SIGTERM, lambda *_: None)
held = open({folder!r} + "/tells_of_itself.py")
{before}

def told():
    reading, writing = os.pipe()
    with open({folder!r} + "/output", "wb") as output:
        child = starting.start(
            tells_of_itself.main,
            (str(writing), "one", "two"),
            environment={{
                "GIVEN": "1",
                "TMPDIR": {folder!r},
                "PYTHONPATH": os.pathsep.join(sys.path),
            }},
            output=output.fileno(),
            handed=[writing],
        )
    os.close(writing)
    said = b""
    while chunk := os.read(reading, 2**16):
        said += chunk
    told = json.loads(said or "null")
    return {{"code": child.wait(), "said": told, "forked": starting.can_fork()}}
"""


def tried(folder: Path, then: str, before: str = "") -> Any:
    """What a process prints that starts others."""
    (folder / "tells_of_itself.py").write_text(MODULE)
    script = folder / "scripts" / "script.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(STARTING.format(folder=str(folder), before=before) + then)
    ended = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(ended.stdout)


def test_a_fork_is_like_a_new_process(tmp_path: Path) -> None:
    """In all that a store can see of where it is; each draws its own."""
    then = "print(json.dumps([told(), told()]))"
    forked, again = tried(tmp_path, then)
    new, _ = tried(tmp_path, then, before="starting.can_fork = lambda: False")
    assert (forked.pop("forked"), new.pop("forked"), again.pop("forked")) == (True, False, True)
    drawn = {one["said"].pop("drawn") for one in (forked, again, new)}
    assert len(drawn) == 3
    assert forked == new == again
    assert forked["code"] == 0
    assert forked["said"]["held"] == []
    assert forked["said"]["environment"] == {"GIVEN": "1", "TAKEN": None, "TMPDIR": str(tmp_path)}
    assert (tmp_path / "output").read_text() == "printed\n"


@pytest.mark.parametrize(
    "before",
    [
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "sys.modules['a_store_of_somebody'] = threading",
    ],
    ids=["a thread", "what somebody may have set up as it was imported"],
)
def test_what_a_fork_would_inherit_is_not_forked(before: str, tmp_path: Path) -> None:
    """A lock that a thread holds would stay locked."""
    then = "print(json.dumps(told()))\nsys.stdout.flush()\nos._exit(0)"
    told = tried(tmp_path, then, before)
    assert not told["forked"]
    assert told["code"] == 0


def test_a_fork_that_fails_tells_why(tmp_path: Path) -> None:
    """As an interpreter does, with the same code."""
    before = "del tells_of_itself.os"
    told = tried(tmp_path, "print(json.dumps(told()))", before)
    assert told == {"code": 1, "said": None, "forked": True}
    assert "NameError: name 'os' is not defined" in (tmp_path / "output").read_text()


def test_a_fork_can_be_killed_and_asked_how_it_ended(tmp_path: Path) -> None:
    """Once, and again."""
    then = """
child = starting.start(signal.pause, (), environment={}, handed=[])
running = child.poll()
threading.Thread(target=child.wait).start()
child.kill()
codes = [child.wait(), child.wait(), child.poll()]
child.kill()
print(json.dumps([running, codes]))
"""
    assert tried(tmp_path, then) == [None, [-9, -9, -9]]
