"""Reports as Markdown."""

from __future__ import annotations

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.report.assembly import assemble
from sessionstore_contract.report.markdown import MOST_CLAUSES, escaped, markdown
from sessionstore_contract.values import printable
from sessionstore_contract.verdict import Finding, Verdict

from .findings import applied, backend, clause, record_of, violated

HOSTILE = (
    "<script>alert(1)</script><img src=x>",
    "| a | b |\n|---|---|",
    "`code` **bold** _it_ ~~gone~~ $x$ :smile: @someone #12 [a](http://b.example) ![i](x)",
    "http://b.example www.b.example a@b.example",
    "\x1b[31mred\x1b[0m \u202eturned \ud800 \u200b\x00",
    "&lt;b&gt; &#60; \\< \\",
    "- not a list",
    "",
)


def words_of(*backends: object) -> str:
    return markdown(assemble([record_of(*backends)]))  # type: ignore[arg-type]


def rendered(words: str) -> str:
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(words)
    assert isinstance(html, str)
    return html


def test_the_table_of_backends_and_each_violated_clause_once() -> None:
    """In words that fit the summary of a job."""
    broken = violated("cost.merge-is-shallow", "update merges nested objects")
    words = words_of(
        backend(*applied(), name="good", server="SQLite 3.45.1"),
        backend(*applied(broken), name="bad"),
        backend(*applied(broken), name="worse"),
    )
    counts = "| good | conformant | 113 |".replace("113", str(held(applied())))
    assert counts in words
    assert "| **nonconformant** | " in words
    assert words.splitlines()[0] == "## Session stores, contract 1.0"
    assert words.count("cost.merge-is-shallow") == 1
    assert words.endswith(
        "### Violated\n\n- **cost.merge-is-shallow**: update merges nested objects (bad, worse)\n"
    )


def test_a_stale_baseline_is_told() -> None:
    """The summary of a job that is red for it says so; the verdict is that of the store."""
    merge = clause("cost.merge-is-shallow")
    stale = Finding(merge, Verdict.HELD, reason="the baseline is stale", is_stale=True)
    words = words_of(backend(*applied(stale), name="good"))

    assert "| good | conformant | " in words
    assert words.endswith(
        "### Held, and still in the baseline\n\n"
        "- **cost.merge-is-shallow**: the baseline is stale (good)\n"
    )


def held(findings: list[Finding]) -> int:
    return sum(one.verdict is Verdict.HELD for one in findings)


def test_an_admission_is_listed_with_its_reason() -> None:
    """Under a title of its own."""
    admitted = Finding(
        clause("cost.merge-is-shallow"), Verdict.ADMITTED, headline="it is deep", reason="see 12"
    )
    words = words_of(backend(*applied(admitted)))
    assert words.endswith(
        "### Admitted\n\n- **cost.merge-is-shallow**: it is deep: see 12 (mine)\n"
    )
    assert "### Violated" not in words
    assert "| mine | conformant-with-admissions |" in words


def test_a_verdict_that_nobody_has_needs_no_column() -> None:
    """But held and violated are always there."""
    head = words_of(backend(*applied())).splitlines()[2]
    assert head == "| backend | verdict | held | violated | not applicable | server | python |"


def test_what_all_have_and_what_many_have() -> None:
    """Names of many would fill the line."""
    broken = backend(*applied(violated("cost.merge-is-shallow")))
    assert "(all 2 backends)" in words_of(broken, broken)
    named = [backend(*broken.findings, name=f"b{number}") for number in range(6)]
    assert "(b0, b1, b2, b3 and 2 more)" in words_of(*named, backend(*applied()))


def test_of_very_many_violated_clauses_the_first_are_listed() -> None:
    """And how many more there are."""
    findings = [Finding(one, Verdict.VIOLATED, headline="no") for one in CLAUSES]
    words = words_of(backend(*findings))
    assert words.count("\n- **") == MOST_CLAUSES
    assert words.endswith(f"- and {len(CLAUSES) - MOST_CLAUSES} more\n")


def test_no_backend() -> None:
    """Is said."""
    assert "No backend was tried." in markdown(assemble([]))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_it_is(text: str) -> None:
    """Rendered, it is the text and nothing else, wherever it stands."""
    cut = printable(text, limit=160)
    html = rendered(f"a {escaped(text)} z")
    assert unescape(html) == f"<p>a {cut} z</p>\n"
    assert not re.search(r"www\.|https?:|@", escaped(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_store_does_not_break_the_table(text: str) -> None:
    """As many rows and cells as there should be, and no tag that is not the table's."""
    broken = applied(violated("cost.merge-is-shallow", text))
    words = words_of(backend(*broken, name=text, server=text), backend(*applied(), name="good"))
    html = rendered(words)
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {"h2", "h3", "table", "thead", "tbody", "tr", "th", "td", "strong", "ul", "li"}
    assert html.count("<tr>") == 3
    assert html.count("<td") == 2 * html.count("<th>") + 2 * html.count("<th style")
    assert html.count("<li>") == 1
    words.encode("utf-8")


def test_ten_megabytes_are_cut() -> None:
    """A summary has a limit."""
    broken = applied(violated("cost.merge-is-shallow", "<" * 10_000_000))
    assert len(words_of(backend(*broken, name="|" * 10_000_000))) < 5000
