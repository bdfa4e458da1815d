"""What is expected of the stores of others, and the page that says it.

    python downstream/findings.py          write docs/findings.md

Nothing of those stores is imported here.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "findings.md"

_HEAD = """\
# What the contract found in stores of others

Generated: `make downstream` tries the contract on these stores, and this page is what it expects to
find. A clause that is violated and not in a table, and one that is in a table and holds, is a
failure.

The stores are those of `{package}`, as they are published; PostgreSQL is the embedded server, and
HTTP the reference platform. There is no code between them and the kit: their constructors take a
path, a DSN, a URL, or nothing. The chat server of the same package, and what adds up turns in it,
are tried on the stores of the kit; [`downstream/turns.py`](../downstream/turns.py) words what its
agents say. (`turns` is found from the folder `downstream`.)

Each finding was also seen without the kit.
[`downstream/programs.py`](../downstream/programs.py) has a few calls for each, and
`make downstream` runs them, too: one that no longer shows what it is to show is a failure. One of
them alone, in an environment with the package (PROGRAM is the last column of a table; DSN an empty
database, PLATFORM the URL of a platform where it needs one):

```
python downstream/programs.py PROGRAM
```

A clause marked with * is violated in some runs and undecided, or held, in others: which call comes
first decides it. SHOULD clauses are reported, and don't decide about conformance.
"""


@dataclass(frozen=True)
class Expected:
    """One store: how it is tried, and the program that shows the violation of each clause."""

    name: str
    target: str
    options: list[str]
    violated: dict[str, str]
    sometimes: dict[str, str]
    command: str = "run"

    @property
    def findings(self) -> dict[str, str]:
        return {**self.violated, **self.sometimes}


def package() -> str:
    """Name the package whose stores are tried, with its version."""
    return str(_read()["package"])


def expected() -> list[Expected]:
    """Read what is expected of each store, and of what counts turns."""
    read = _read()
    stores = [Expected(name, **rest) for name, rest in read["stores"].items()]
    systems = [Expected(name, **rest, command="turn") for name, rest in read["systems"].items()]
    return stores + systems


def what_programs_show() -> dict[str, str]:
    """Answer the first sentence of each program, by its name."""
    tree = ast.parse((HERE / "programs.py").read_text(encoding="utf-8"))
    return {
        node.name.replace("_", "-"): ast.get_docstring(node) or ""
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef) and node.decorator_list
    }


def page() -> str:
    """Word the page."""
    shown, parts = what_programs_show(), [_HEAD.format(package=package())]
    for store in expected():
        parts += [f"\n## {store.name}\n", f"\n```\nsessionstore-contract {store.command} "]
        parts += [" ".join([store.target, *store.options]), "\n```\n\n"]
        if not store.findings:
            parts.append("Conformant.\n")
            continue
        parts += ["| what happens | clauses | program |\n|---|---|---|\n"]
        for program in dict.fromkeys(store.findings.values()):
            clauses = [
                f"`{clause}`{'*' if clause in store.sometimes else ''}"
                for clause, by in store.findings.items()
                if by == program
            ]
            parts.append(f"| {shown[program]} | {', '.join(clauses)} | `{program}` |\n")
    return "".join(parts)


def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
