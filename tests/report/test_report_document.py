"""The document on reports shows what the commands print, and the members of the schema."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from sessionstore_contract.cli import main
from sessionstore_contract.report.reading import SCHEMA_FILE, schema
from sessionstore_contract.verdict import Verdict

from .findings import applied, backend, said_of, violated

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"<!-- run -->\n```\n\$ (.*?)\n(.*?)```", DOCUMENT, re.DOTALL)
BROKEN = violated("cost.merge-is-shallow", "update merges nested objects")


def report(*findings: Any, server: str = "SQLite 3.50.0", python: str = "3.13.0") -> dict[str, Any]:
    said = said_of(backend(*applied(*findings), name="sqlite", server=server))
    said["environment"]["python"] = python
    return said


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with the reports of which the document speaks."""
    tampered = report(BROKEN)
    clauses = tampered["backends"][0]["clauses"]
    clauses[:] = [one for one in clauses if one["id"] != BROKEN.clause.id]
    for name, said in {
        "sqlite-3.11": report(python="3.11.7"),
        "sqlite-3.13": report(BROKEN),
        "last-week": report(server="SQLite 3.45.1"),
        "today": report(BROKEN),
        "tampered": tampered,
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(said))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_what_is_shown_is_what_is_printed(command: str, output: str) -> None:
    """Word for word; how many clauses there are grows with the contract."""
    program, *arguments = shlex.split(command)
    assert program == "sessionstore-contract"
    printed = CliRunner().invoke(main, arguments).output
    assert without_counts(printed) == without_counts(output)


def without_counts(text: str) -> str:
    return re.sub(r"(?<=\| )\d+(?= \|)", "N", text)


def rows() -> Iterator[str]:
    parts = {
        "": schema(),
        "backends[].": schema()["$defs"]["backend"],
        "backends[].clauses[].": schema()["$defs"]["clause"],
    }
    for prefix, part in parts.items():
        for name, member in part["properties"].items():
            values = " or ".join(f"`{one}`" for one in member.get("enum", ()))
            yield f"| `{prefix}{name}` | {member['description']}{f' {values}' if values else ''} |"


def test_the_members_are_those_of_the_schema() -> None:
    """With what each of them means."""
    table = "\n".join(["| Member | What |", "|---|---|", *rows()])
    assert f"<!-- schema -->\n{table}\n<!-- /schema -->" in DOCUMENT


def test_every_verdict_has_its_sign() -> None:
    """As the page has it."""
    script = (SCHEMA_FILE.parent / "page.js").read_text(encoding="utf-8")
    signs = re.findall(r'\b[a-z]: \["([\w-]+)", "([^"]+)"\]', script)
    assert len(signs) == len(Verdict)
    for name, sign in signs:
        shown = json.loads(f'"{sign}"')
        assert f"| `{shown}` | {name.replace('-', ' ')}" in DOCUMENT
