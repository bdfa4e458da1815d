"""The file of a baseline: written, and refreshed without touching what people wrote in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .baseline import TABLE, Baseline, BaselineError, Entry, parse, read
from .folding import RACING, fold
from .values import printable
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = re.compile(r"\s*\[\[\s*admitted\s*\]\]")
ABOUT_WIDTH = 90
EMPTY = """\
# What is known to be violated, and why it is admitted for now. An entry without a reason is
# refused, and so is one whose clause holds again.
#
#   [[admitted]]
#   clause = "cost.merge-is-shallow"
#   reason = "json_patch merges nested objects; the next release reads, merges and writes"
#   link = "https://example.org/issues/12"   # optional
#   expires = 2027-01-31                     # optional: the last day on which it is admitted
#   backend = "sqlite"                       # optional: every backend without it
#   sometimes = true                         # optional: it holds in some runs, as a race may
#   undecided = true                         # optional: another defect keeps it from a verdict
"""

Found = Mapping[str, Sequence[Finding]]
"""What was found out, by the name of the backend."""


@dataclass(frozen=True)
class Block:
    """One entry, and the text that it stands in with the comment above it."""

    entry: Entry
    text: str

    def farewell(self, why: str) -> Iterator[str]:
        """Say what is removed with it: nobody's comment goes in silence."""
        of = f" of {self.entry.backend}" if self.entry.backend else ""
        reason = self.entry.reason.strip()
        because = f", which was admitted: {reason}" if reason else ""
        yield printable(f"removed: {self.entry.clause}{of} {why}{because}")
        for line in self.text.splitlines():
            if "#" in line:
                yield printable(f"    {line.strip()}")


@dataclass
class Refreshed:
    """What a run makes of a baseline."""

    text: str
    kept: list[Entry] = field(default_factory=list)
    added: list[Entry] = field(default_factory=list)
    removed: int = 0
    farewells: list[str] = field(default_factory=list)
    """What is said of what is removed."""

    def lines(self, path: str) -> Iterator[str]:
        """Say what has changed, and what is left for a person to do."""
        counts = f"{len(self.added)} added, {self.removed} removed, {len(self.kept)} kept"
        yield f"{path}: {counts}"
        yield from self.farewells
        to_be_said = sum(not one.reason for one in self.added)
        if to_be_said:
            yield (
                f'fill in {to_be_said} reason{"s"[: to_be_said != 1]} (reason = ""): '
                "without one the baseline is refused"
            )


def blocks(text: str, path: str) -> tuple[str, list[Block]]:
    """Take the text of a baseline apart: what stands before the entries, and each of them.

    Raises:
        BaselineError: it says what can't be meant, or can't be taken apart.
    """
    entries = parse(text, path)
    pieces = _pieces(text)
    found = [Block(entry, piece) for entry, piece in zip(entries, pieces[1:], strict=False)]
    try:
        is_whole = len(pieces) == len(entries) + 1 and not parse(pieces[0], path)
        is_whole = is_whole and all(parse(one.text, path) == (one.entry,) for one in found)
    except BaselineError:
        is_whole = False
    if not is_whole:
        raise BaselineError(
            f"{path}: its entries are not written as [[{TABLE}]] tables, and can't be refreshed "
            "without losing what else stands there: write to another file"
        )
    return pieces[0], found


def _pieces(text: str) -> list[str]:
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)  # as TOML has it: splitlines splits at more
    starts = [number for number, line in enumerate(lines) if HEADER.match(line)]
    starts = [_climbed(lines, start) for start in starts]
    ends = [*starts, len(lines)]
    return ["".join(lines[a:b]) for a, b in zip([0, *starts], ends, strict=True)]


def _climbed(lines: list[str], start: int) -> int:
    """Let a comment right above an entry belong to it, but for one that begins the file."""
    top = start
    while top and lines[top - 1].lstrip().startswith("#"):
        top -= 1
    return top or start


def refreshed(path: Path, found: Found) -> Refreshed:
    """Word the baseline of what is violated now; what stays is left as it is written.

    What holds is removed, what is violated and not listed is added with an empty reason, and what
    nothing was found out about stays.

    Raises:
        BaselineError: the file there says what can't be meant, or can't be taken apart.
    """
    said = read(path) if path.exists() else EMPTY
    before, old = blocks(said, str(path))
    result = Refreshed(before)
    known = Baseline(str(path), tuple(one.entry for one in old))
    for block in old:
        _keep(block, _findings(block.entry, known, found), result)
    kept = Baseline(str(path), tuple(result.kept))
    for backend, findings in found.items():
        for entry in _new(backend, findings, kept, is_named=len(found) > 1):
            result.added.append(entry)
            result.text = _appended(result.text, _worded(entry, findings))
    return result


def _findings(entry: Entry, known: Baseline, found: Found) -> dict[str, Finding]:
    """Answer what was found out about an entry, by backend."""
    return {
        backend: finding
        for backend, findings in found.items()
        for finding in findings
        if known.entry(finding.clause.id, backend) is entry
    }


def _keep(block: Block, findings: Mapping[str, Finding], result: Refreshed) -> None:
    """Keep an entry, narrow it to the backends of which it is still right, or remove it."""
    entry = block.entry
    wrong = {
        name: why for name, one in findings.items() if (why := _why_wrong(entry, one)) is not None
    }
    right = [name for name in findings if name not in wrong]
    result.removed += bool(wrong)
    for name, why in wrong.items():
        narrowed = replace(entry, backend=name) if right else entry
        result.farewells += replace(block, entry=narrowed).farewell(why)
        if not right:
            break
    if not wrong:
        result.text += block.text
        result.kept.append(entry)
        return
    for name in right:
        result.text += _narrowed(block.text, name)
        result.kept.append(replace(entry, backend=name))


def _why_wrong(entry: Entry, finding: Finding) -> str | None:
    if finding.verdict is Verdict.HELD and not entry.sometimes:
        return "holds"
    return "is violated" if finding.verdict is Verdict.VIOLATED and entry.undecided else None


def _narrowed(text: str, backend: str) -> str:
    return re.sub(
        rf"(?m)^({HEADER.pattern}[^\n]*)$",
        lambda header: f"{header[1]}\nbackend = {_quoted(backend)}",
        text,
        count=1,
    )


def _new(
    backend: str, findings: Sequence[Finding], kept: Baseline, *, is_named: bool
) -> Iterator[Entry]:
    name = backend if is_named else None
    reasons = _reasons(findings)
    for finding in findings:
        clause = finding.clause.id
        is_undecided = finding.verdict is Verdict.INCONCLUSIVE and finding.owner is not None
        is_new = is_undecided or finding.verdict is Verdict.VIOLATED
        if is_new and kept.entry(clause, backend) is None:
            yield Entry(
                clause,
                reasons.get(clause, ""),
                name,
                sometimes=_may_hold(finding),
                undecided=is_undecided,
            )


def _may_hold(finding: Finding) -> bool:
    """Answer whether other values, or another order of calls, may not show the defect."""
    return finding.clause.examples is not None or finding.clause.area in RACING


def _reasons(findings: Sequence[Finding]) -> dict[str, str]:
    """Answer for each consequence whose it is: one reason for one defect is a person's work."""
    said: dict[str, str] = {}
    for defect in fold(findings):
        root = defect.root.clause.id
        said |= {one.clause.id: f"the same defect as {root}" for one in defect.known}
        said |= {one.clause.id: f"probably the same defect as {root}" for one in defect.probable}
        said |= {one.clause.id: f"can't be decided before {root}" for one in defect.undecided}
    return said


def _worded(entry: Entry, findings: Sequence[Finding]) -> str:
    (finding,) = (one for one in findings if one.clause.id == entry.clause)
    about = finding.reason if entry.undecided else finding.headline
    lines = [f"# {printable(about, limit=ABOUT_WIDTH)}"] if about else []
    lines += [f"[[{TABLE}]]", f"clause = {_quoted(entry.clause)}"]
    lines += [f"backend = {_quoted(entry.backend)}"] if entry.backend else []
    lines += ["sometimes = true"] if entry.sometimes else []
    lines += ["undecided = true"] if entry.undecided else []
    lines += [f"reason = {_quoted(entry.reason)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # A basic string of TOML has the escapes of JSON; a lone surrogate it can't hold at all.
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )


def _appended(text: str, block: str) -> str:
    if text and not text.endswith("\n"):
        text += "\n"
    return f"{text}\n{block}" if text else block
