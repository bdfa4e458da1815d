"""The pages of docs/ that are generated: the command line, and tables in pages written by hand."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import capabilities, cli
from .capabilities import MEANINGS, PROFILES, Capability
from .contract import CLAUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "sessionstore-contract"
END = "<!-- end -->"


def command_page() -> str:
    """Word every command as a Markdown page: `docs/cli.md` is this."""
    lines = ["# The command line", "", "Generated from the commands (`make docs`)."]
    for name, command in sorted(cli.main.commands.items()):
        lines += ["", f"## {name}", "", *_command(command, name)]
    return "\n".join(lines) + "\n"


def _command(command: click.Command, name: str) -> Iterator[str]:
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    options = [one for one in command.params if isinstance(one, click.Option)]
    words = [PROGRAM, name, *(["[OPTIONS]"] if options else [])]
    words += [one.metavar or str(one.name).upper() for one in arguments]
    yield f"    {' '.join(words)}"
    yield ""
    yield from inspect.cleandoc(command.help or "").splitlines()
    if options:
        yield ""
        yield "| Option | |"
        yield "|---|---|"
    for option in options:
        yield f"| {_names(option)} | {_cell(_meaning(option))} |"


def _names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {_value(option)}"
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return f"{names[:-1]}{_cell(value)}`" if value else names


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.type.name.upper()


def _meaning(option: click.Option) -> str:
    default = f"[default: {option.default}]" if option.show_default else ""
    return " ".join(filter(None, (option.help, default)))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def capability_table() -> str:
    """Word what can be claimed, and how many clauses need it."""
    lines = ["| Capability | Means | Clauses that need it |", "|---|---|---|"]
    for capability in Capability:
        needing = sum(capability in clause.needs for clause in CLAUSES)
        lines.append(f"| `{capability}` | {MEANINGS[capability]} | {needing} |")
    return "\n".join(lines)


def profile_table() -> str:
    """Word what each profile claims, and to how many clauses it is held."""
    named = {**PROFILES, "a class without a word": capabilities.DEFAULT_CLAIMS}
    lines = ["| Profile | Claims | Clauses that apply |", "|---|---|---|"]
    for name, claims in named.items():
        applying = sum(clause.missing(claims) is None for clause in CLAUSES)
        listed = ", ".join(f"`{one}`" for one in Capability if one in claims) or "nothing"
        lines.append(f"| {name} | {listed} | {applying} |")
    return "\n".join(lines)


def title_list(folder: Path, docs: Path) -> str:
    """Word a link to every page of a folder but the index, by its title."""
    lines = []
    for path in sorted(folder.glob("*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        if path != docs / "README.md":
            lines.append(f"- [{title}]({path.relative_to(docs)})")
    return "\n".join(lines)


def filled(text: str, tables: dict[str, str]) -> str:
    """Fill what is generated into a page that is written by hand, between its marks."""
    for name, table in tables.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise ValueError(f"the page has no marks for {name}")
        text = f"{before}{begin}\n{table}\n\n{end}{after}"
    return text


def pages(docs: Path) -> Iterator[tuple[Path, str]]:
    """Yield each page that is generated, or holds what is, and its text."""
    yield docs / "cli.md", command_page()
    for name, tables in _tables(docs).items():
        path = docs / name
        yield path, filled(path.read_text(encoding="utf-8"), tables)


def _tables(docs: Path) -> dict[str, dict[str, str]]:
    return {
        "README.md": {
            "pages": title_list(docs, docs),
            "decisions": title_list(docs / "decisions", docs),
        },
        "levels-and-profiles.md": {
            "capabilities": capability_table(),
            "profiles": profile_table(),
        },
    }


if __name__ == "__main__":
    for page, worded in pages(Path(sys.argv[1])):
        page.write_text(worded, encoding="utf-8")
