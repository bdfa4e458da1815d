"""The file of a baseline: what a run makes of it, and what people wrote in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessionstore_contract import catalogue
from sessionstore_contract.baseline import BaselineError, parse
from sessionstore_contract.baseline_file import EMPTY, Refreshed, refreshed
from sessionstore_contract.verdict import Finding, Verdict

if TYPE_CHECKING:
    from pathlib import Path

MERGE, LAST, NULL = "cost.merge-is-shallow", "cost.last-write-wins", "cost.null-is-a-value"
EVIL = '\x1b[31m"\\\u202e\ud800\x7f\n[[admitted]]'
WRITTEN = """\
# Ours. \u2028 Read it on Mondays.

# told by a customer
[[admitted]]
clause = "cost.merge-is-shallow"  # see below
reason = "json_patch"
link = 'https://example.org/12'

# nulls vanish
[[ admitted ]]
reason = \"\"\"until
2.0\"\"\"
clause = "cost.null-is-a-value"
"""


def finding(clause_id: str, verdict: Verdict = Verdict.VIOLATED, said: str = "it is") -> Finding:
    (clause,) = catalogue.select([clause_id])
    owner = "cost.starts-empty" if verdict is Verdict.INCONCLUSIVE else None
    return Finding(clause, verdict, headline=said, reason=said, owner=owner)


def of(path: Path, *findings: Finding, **others: list[Finding]) -> Refreshed:
    return refreshed(path, {"mine": list(findings), **others})


def test_what_is_violated_is_written_down(tmp_path: Path) -> None:
    """Each defect has a reason that a person must fill in; what follows from it says so."""
    deep = "update merges nested objects"
    result = of(
        tmp_path / "b.toml",
        finding(MERGE, said=deep),
        finding(LAST, said=deep),
        finding(NULL, Verdict.HELD),
    )

    assert result.text == (
        f"{EMPTY}\n"
        f'# {deep}\n[[admitted]]\nclause = "{MERGE}"\nreason = ""\n\n'
        f'# {deep}\n[[admitted]]\nclause = "{LAST}"\n'
        f'reason = "the same defect as {MERGE}"\n'
    )
    assert list(result.lines("b.toml")) == [
        "b.toml: 2 added, 0 removed, 0 kept",
        'fill in 1 reason (reason = ""): without one the baseline is refused',
    ]


def test_what_stays_is_left_as_it_is_written(tmp_path: Path) -> None:
    """To the byte, whatever line ends and quotes it has."""
    path = tmp_path / "b.toml"
    for text in (WRITTEN, WRITTEN.replace("\n", "\r\n"), WRITTEN.rstrip("\n")):
        path.write_bytes(text.encode())
        assert of(path, finding(MERGE), finding(NULL)).text == text
        # Nothing was found out about what was not selected.
        assert of(path).text == text


def test_what_holds_again_is_removed_aloud(tmp_path: Path) -> None:
    """With its reason and its comments; the comment of the next entry stays."""
    path = tmp_path / "b.toml"
    path.write_text(WRITTEN, encoding="utf-8")
    result = of(path, finding(MERGE, Verdict.HELD), finding(NULL))

    assert result.text == WRITTEN[: WRITTEN.index("# told")] + WRITTEN[WRITTEN.index("# nulls") :]
    assert list(result.lines("b.toml")) == [
        "b.toml: 0 added, 1 removed, 1 kept",
        f"removed: {MERGE} holds, which was admitted: json_patch",
        "    # told by a customer",
        f'    clause = "{MERGE}"  # see below',
    ]


def test_what_is_violated_sometimes_is_not_removed(tmp_path: Path) -> None:
    """That it held in one run says nothing."""
    path = tmp_path / "b.toml"
    text = f'[[admitted]]\nclause = "{MERGE}"\nreason = "r"\nsometimes = true\n'
    path.write_text(text)

    assert of(path, finding(MERGE, Verdict.HELD)).text == text


def test_what_goes_by_drawn_values_or_by_order_may_hold_in_another_run(tmp_path: Path) -> None:
    """It is written down as such: a baseline is not stale by chance."""
    racing = "concurrency.same-key-is-one-of-the-written"
    result = of(tmp_path / "b", finding(MERGE), finding("cost.folds-like-a-dict"), finding(racing))

    assert [one.sometimes for one in parse(result.text, "b")] == [False, True, True]


def test_several_backends_are_named(tmp_path: Path) -> None:
    """An entry of all is narrowed to the one that still violates its clause."""
    path = tmp_path / "b.toml"
    path.write_text(WRITTEN, encoding="utf-8")
    result = of(
        path,
        finding(MERGE, Verdict.HELD),
        finding(NULL),
        yours=[finding(MERGE), finding(NULL), finding(LAST)],
    )

    assert '[[admitted]]\nbackend = "yours"\nclause = "cost.merge-is-shallow"' in result.text
    assert f'clause = "{LAST}"\nbackend = "yours"\nreason = ""\n' in result.text
    assert "removed: cost.merge-is-shallow of mine holds" in "\n".join(result.lines("b"))
    assert [(one.clause, one.backend) for one in parse(result.text, "b")] == [
        (MERGE, "yours"),
        (NULL, None),
        (LAST, "yours"),
    ]


def test_what_another_defect_keeps_from_a_verdict_is_written_as_such(tmp_path: Path) -> None:
    """Once it has a verdict, the entry is wrong: held or violated, it is removed."""
    path = tmp_path / "b.toml"
    first = of(path, finding(MERGE, Verdict.INCONCLUSIVE))
    assert f'clause = "{MERGE}"\nundecided = true\nreason = ""\n' in first.text

    path.write_text(first.text)
    again = of(path, finding(MERGE))
    assert [one.undecided for one in parse(again.text, "b")] == [False]
    assert f"removed: {MERGE} is violated" in list(again.lines("b"))


def test_what_a_store_says_is_a_comment(tmp_path: Path) -> None:
    """Whatever is in it."""
    path = tmp_path / "b.toml"
    result = of(path, finding(MERGE, said=EVIL), **{EVIL: [finding(NULL, said="x" * 10_000_000)]})

    path.write_text(result.text, encoding="utf-8")
    assert [one.clause for one in parse(path.read_text(encoding="utf-8"), "b")] == [MERGE, NULL]
    assert max(map(len, result.text.splitlines())) < 110


@pytest.mark.parametrize(
    "text",
    [
        f'admitted = [{{clause = "{MERGE}", reason = "r"}}]',
        f'[[admitted]]\nclause = "{MERGE}"\nreason = """\n[[admitted]]\n"""',
    ],
)
def test_a_file_that_cannot_be_taken_apart_is_refused(tmp_path: Path, text: str) -> None:
    """Rather than losing something."""
    path = tmp_path / "b.toml"
    path.write_text(text)

    with pytest.raises(BaselineError, match=r"without losing .*: write to another file$"):
        of(path)
