"""The page on writing a backend: its code runs, and the kit says of it what the page says."""

from __future__ import annotations

import ast
import importlib
import io
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sessionstore_contract import Backend, Report, check_sync
from sessionstore_contract.baseline import parse
from sessionstore_contract.catalogue import select
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS, NORMAL
from sessionstore_contract.report.terminal import show

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "write-a-backend.md").read_text(encoding="utf-8")
WHOLE = DOCS / "examples" / "file_store.py"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
IMPORTS = "import hashlib\nfrom sessionstore_contract.interface import UnstorableValueError\n"
PLAIN = ("lifecycle", "cost", "identifiers", "closing")
RACING = "concurrency"


def stages() -> list[tuple[ast.Module, str]]:
    """The store as it is at each point where the page asks the kit, and what is shown there."""
    found: list[tuple[ast.Module, str]] = []
    module: Any = None
    for language, text in BLOCKS:
        if language == "python" and module is None:
            module = ast.parse(IMPORTS + text)
        elif language == "python":
            module = changed(module, ast.parse(text))
        elif language == "console":
            found.append((module, text))
    return found


def changed(module: Any, block: ast.Module) -> ast.Module:
    """The module with what a block brings: methods into the class, the rest before it."""
    (store,) = (one for one in module.body if isinstance(one, ast.ClassDef))
    methods: list[Any] = [one for one in block.body if _is_method(one)]
    names = {one.name for one in methods}
    kept = [one for one in store.body if getattr(one, "name", None) not in names]
    renewed = ast.ClassDef(store.name, [], [], [*kept, *methods], [], **_no_type_parameters())
    before = [one for one in module.body if one is not store]
    others = [one for one in block.body if one not in methods]
    return ast.fix_missing_locations(ast.Module([*before, *others, renewed], []))


def _no_type_parameters() -> dict[str, Any]:
    return {"type_params": []} if "type_params" in ast.ClassDef._fields else {}


def _is_method(node: Any) -> bool:
    is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return is_function and bool(node.args.args) and node.args.args[0].arg == "self"


def store_of(source: str) -> Any:
    names: dict[str, Any] = {"__name__": "chats"}
    exec(compile(source, "chats.py", "exec"), names)
    return names["FileStore"]


def tried(store: Any, globs: list[str], **rest: Any) -> Report:
    clauses = select(globs) if globs else CLAUSES
    return check_sync(Backend("FileStore", open=store), clauses=clauses, seed=1, **rest)


def said(report: Report) -> list[str]:
    """The lines of what the command prints, with what differs from run to run blanked."""
    file = io.StringIO()
    show(report, Console(file=file, width=80), is_quiet=True)
    return re.sub(r"[\w-]+-[0-9a-f]{12}", "<id>", file.getvalue()).splitlines()


def asked(shown: str) -> tuple[list[str], list[str]]:
    """What the command on the page selects, and the lines that are shown."""
    first, *lines = shown.splitlines()
    return re.findall(r"--clause (\S+)", first), lines


@pytest.mark.parametrize("number", range(3))
def test_the_kit_says_of_each_stage_what_is_shown(number: int) -> None:
    """All of it and nothing else; what depends on who came first is left to the soak."""
    module, shown = stages()[number]
    globs, lines = asked(shown)
    report = tried(store_of(ast.unparse(module)), [one for one in globs if one != RACING])

    found = [one for one in said(report) if re.match(r"FileStore: [\w.-]+( \(SHOULD\))?: ", one)]
    told = [one for one in found if "inconclusive" not in one and "growth" not in one]
    assert told == [one for one in lines if f": {RACING}." not in one]


def test_what_is_shown_of_the_last_stage_stands_in_the_whole_file() -> None:
    """To the line; and the whole file is one that the page leads to."""
    module, _ = stages()[-1]
    whole = ast.parse(WHOLE.read_text(encoding="utf-8"))
    shown = {one.name: ast.unparse(one) for one in _functions(module)}
    there = {one.name: ast.unparse(one) for one in _functions(whole)}

    for name in ("checked", "is_json", "path", "read", "write", "locked", "alone", "update"):
        assert there[name] == shown[name], name
    assert "examples/file_store.py" in PAGE


def _functions(module: Any) -> list[Any]:
    (store,) = (one for one in module.body if isinstance(one, ast.ClassDef))
    return [one for one in [*module.body, *store.body] if hasattr(one, "args")]


def test_the_whole_file_holds() -> None:
    """What can be tried in a moment; the whole contract is tried in the soak."""
    report = tried(store_of(WHOLE.read_text("utf-8")), [*PLAIN], effort=EFFORTS["quick"])

    assert report.backends[0].findings
    assert {str(one.verdict) for one in report.backends[0].findings} >= {"held"}
    assert [one for one in report.backends[0].findings if one.verdict == "violated"] == []


@pytest.mark.soak
def test_the_whole_file_is_conformant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is what is shown, but for the room at the end of its lines."""
    _, lines = asked(stages()[-1][1])
    monkeypatch.syspath_prepend(WHOLE.parent)  # other processes find it by name
    report = tried(importlib.import_module(WHOLE.stem).FileStore, [])

    assert lines == [one.rstrip() for one in said(report)[:2]]


def test_the_table_counts_the_clauses_of_today() -> None:
    """They are those that the last draft is held to, and the ones that ask for more."""
    shown = asked(stages()[-1][1])[1][1].split()
    backend = Backend("FileStore", open=store_of(WHOLE.read_text("utf-8")))
    inapplicable = sum(one.missing(backend.capabilities, NORMAL) is not None for one in CLAUSES)
    assert shown[2:8] == ["durable", str(len(CLAUSES) - inapplicable), *"000", str(inapplicable)]
    assert f"\n{inapplicable} clauses need what was not claimed" in PAGE


def test_the_baseline_on_the_page_is_one() -> None:
    """And names what an entry may hold."""
    (text,) = (text for language, text in BLOCKS if language == "toml")
    (entry,) = parse(text, "b.toml")

    assert entry.reason
    assert entry.link
    assert set(tomllib.loads(text)["admitted"][0]) < set(vars(entry))
    for key in vars(entry):
        assert f"`{key}" in PAGE
