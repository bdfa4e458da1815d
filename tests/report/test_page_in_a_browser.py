"""The page of a report in a real browser: filters, keys, small screens, hostile text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.report.assembly import assemble
from sessionstore_contract.report.page import page
from sessionstore_contract.report.reading import recorded
from sessionstore_contract.report.record import ProofRecord, RunRecord
from sessionstore_contract.verdict import Finding, Verdict

from .browser import launched
from .findings import applied, backend, clause, record_of, violated
from .test_page import DRAWN, HOSTILE
from .test_shape import PROOF

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHALLOW = clause("cost.merge-is-shallow")
BROKEN = violated(
    SHALLOW.id,
    "update merges nested objects",
    witness=("create()  ->  'sess_1'", "[2] update('sess_1')  ->  True", "get_cost_data()"),
    demanded="{'usage': {'in': 9}}",
    answered="{'usage': {'in': 9, 'out': 5}}",
)
EVERY_VERDICT = (
    BROKEN,
    violated("concurrency.histories-are-linearisable", "no order explains it", witness=DRAWN),
    Finding(clause("cost.last-write-wins"), Verdict.ADMITTED, reason="see 12"),
    Finding(
        clause("values.deep-nesting"),
        Verdict.INCONCLUSIVE,
        reason="see cost.merge-is-shallow",
    ),
    Finding(clause("messages.save-then-load"), Verdict.FAULTED, reason="no server"),
)
CELL = f"bad, {SHALLOW.id}: violated"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser for all of these."""
    with launched() as started:
        yield started


class Shown:
    """A page in the browser, with all that it asked for and complained about."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.tab = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.tab.on("request", lambda asked: self.requests.append(asked.url))
        self.tab.on("console", lambda said: self.complaints.append(said.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.address = path.as_uri()
        self.tab.goto(self.address)

    def clauses(self) -> list[str]:
        """The ids of the clauses that can be seen."""
        found: list[str] = self.tab.locator(
            "#matrix tbody th[scope=row]:visible .id"
        ).all_inner_texts()
        return found

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        wider: int = self.tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        return wider

    def focused(self) -> str:
        """The name of what has the focus."""
        name: str = self.tab.evaluate(
            "document.activeElement.ariaLabel || document.activeElement.textContent"
        )
        return name


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Show runs and proofs; at the end it is seen that nothing was loaded, and all went well."""
    opened: list[Shown] = []

    def showing(*runs: RunRecord | ProofRecord, **context: Any) -> Shown:
        path = tmp_path / f"{len(opened)}.html"
        proofs = [one for one in runs if isinstance(one, ProofRecord)]
        assembly = assemble(one for one in runs if isinstance(one, RunRecord))
        path.write_text(page(assembly, proofs), encoding="utf-8")
        opened.append(Shown(browser, path, **context))
        return opened[-1]

    yield showing
    for shown in opened:
        assert shown.complaints == []
        assert {one.partition("#")[0] for one in shown.requests} == {shown.address}
        shown.context.close()


def two() -> RunRecord:
    return record_of(
        backend(*applied(), name="good", server="SQLite 3.45.1"),
        backend(*applied(*EVERY_VERDICT), name="bad"),
    )


def test_each_verdict_can_be_found_by_what_it_is_called(show: Any) -> None:
    """A screen reader reads the table: its headings, and a button for each verdict."""
    tab = show(two()).tab
    assert tab.get_by_role("columnheader", name="good").count() == 1
    assert tab.get_by_role("rowheader", name=SHALLOW.id).count() == 1
    for finding in EVERY_VERDICT:
        name = f"bad, {finding.clause.id}: {finding.verdict}"
        assert tab.get_by_role("button", name=name, exact=True).count() == 1, name
    signs = tab.locator("#matrix td button").all_inner_texts()
    assert len(signs) == 2 * len(CLAUSES)
    assert len(set(signs)) == len(Verdict)


def test_a_click_opens_all_there_is_to_say(show: Any) -> None:
    """Sentence, reason, history, demanded and answered, remedy and evidence."""
    tab = show(two()).tab
    tab.get_by_role("button", name=CELL).click()
    dialog = tab.get_by_role("dialog")
    text = dialog.inner_text()
    assert dialog.get_by_role("listitem").count() == 3
    for words in (
        *("update merges nested objects", "[2] update('sess_1')", "\u2192 True"),
        *(BROKEN.demanded, BROKEN.answered, SHALLOW.because, *SHALLOW.evidence),
        *(SHALLOW.sentence.replace("`", ""), SHALLOW.remedy.replace("`", "")),
    ):
        assert words in text
    tab.keyboard.press("Escape")
    tab.get_by_role("button", name="bad, concurrency.histories").click()
    assert "|====2===|" in dialog.locator("pre.drawing").inner_text()


def test_the_keyboard_reaches_and_opens_every_cell(show: Any) -> None:
    """The matrix is one stop of the tab key; the arrows go about in it, and back from a cell."""
    shown = show(two())
    tab = shown.tab
    tab.locator("#area").focus()
    tab.keyboard.press("Tab")
    first, second = CLAUSES[0].id, CLAUSES[1].id
    assert shown.focused() == f"good, {first}: held"
    for key, name in (
        ("ArrowDown", f"good, {second}: held"),
        ("ArrowRight", f"bad, {second}: held"),
        ("ArrowRight", f"bad, {second}: held"),
        ("Home", second),
        ("ArrowUp", first),
        ("ArrowUp", first),
        ("End", f"bad, {first}: held"),
        ("ArrowUp", "bad"),
        ("Control+End", f"bad, {CLAUSES[-1].id}: "),
        ("Control+Home", first),
        ("ArrowRight", f"good, {first}: held"),
    ):
        tab.keyboard.press(key)
        assert shown.focused().startswith(name), key
    assert tab.locator("#matrix button[tabindex='0']").count() == 1
    tab.keyboard.press("Enter")
    assert first in tab.get_by_role("dialog").inner_text()
    tab.keyboard.press("Escape")
    assert tab.get_by_role("dialog").count() == 0
    assert shown.focused() == f"good, {first}: held"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('#matrix') === null")


def test_filters_and_search(show: Any) -> None:
    """By verdict, level, area and words, of the diagnosis as well; how many are left is said."""
    shown = show(two())
    tab = shown.tab
    everything = [one.id for one in CLAUSES]
    assert shown.clauses() == everything
    tab.get_by_label("Verdict").select_option(label="violated")
    assert shown.clauses() == sorted(
        [SHALLOW.id, "concurrency.histories-are-linearisable"], key=everything.index
    )
    assert tab.get_by_text(f"2 of {len(CLAUSES)} clauses").is_visible()
    tab.get_by_label("Verdict").select_option(label="all")
    tab.get_by_label("Level").select_option(label="SHOULD")
    assert shown.clauses() == [one.id for one in CLAUSES if one.level == "should"]
    tab.get_by_label("Level").select_option(label="all")
    tab.get_by_label("Area").select_option("cost")
    assert shown.clauses() == [one.id for one in CLAUSES if one.area == "cost"]
    tab.get_by_label("Search").fill("Merges nested")
    assert shown.clauses() == [SHALLOW.id]
    tab.get_by_label("Search").fill("there is no such thing")
    assert shown.clauses() == []


def test_an_address_leads_to_a_cell(show: Any) -> None:
    """One that was opened can be sent to somebody."""
    shown = show(two())
    shown.tab.get_by_role("button", name=CELL).click()
    address = shown.tab.evaluate("location.href")
    assert address.endswith(f"#{SHALLOW.id}/bad")
    shown.tab.goto("about:blank")
    shown.requests.clear()
    shown.tab.goto(address)
    assert SHALLOW.id in shown.tab.get_by_role("dialog").inner_text()


def test_what_a_store_says_is_text(show: Any) -> None:
    """Nothing of it runs, and it is there to be read."""
    finding = violated(SHALLOW.id, HOSTILE, witness=(HOSTILE,), demanded=HOSTILE, answered=HOSTILE)
    tab = show(record_of(backend(*applied(finding), name=HOSTILE, server=HOSTILE))).tab
    tab.locator("#matrix td .violated").click()
    assert tab.get_by_role("dialog").inner_text().count(HOSTILE) >= 4
    assert tab.locator("img").count() == 0
    assert tab.evaluate("window.hacked") is None


@pytest.mark.parametrize("text", ["short", "x" * 3000], ids=["short", "long"])
def test_a_page_is_never_wider_than_its_screen(show: Any, text: str) -> None:
    """Tables scroll by themselves; what opens fits as well, whatever is in it."""
    finding = violated(SHALLOW.id, text, witness=(text,), demanded=text, answered=text)
    bad = backend(*applied(finding), name=text, server=text)
    good = backend(*applied(), name="good")
    shown = show(record_of(bad, good), recorded(PROOF))
    for width in (1280, 390, 320):
        shown.tab.set_viewport_size({"width": width, "height": 700})
        assert shown.overflow() <= 0, width
        shown.tab.locator("#matrix td .violated").click()
        box = shown.tab.locator("dialog").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert shown.tab.evaluate(OVERFLOW_OF_THE_DIALOG) <= 0, width
        shown.tab.keyboard.press("Escape")


OVERFLOW_OF_THE_DIALOG = """
(() => { const d = document.querySelector("dialog"); return d.scrollWidth - d.clientWidth; })()
"""

CONTRAST = """() => {
  const parsed = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parsed(colour).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    const opaque = parsed(colour).length === 3 || parsed(colour)[3] > 0;
    return opaque || !one.parentElement ? colour : behind(one.parentElement);
  };
  const found = {};
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text || !one.checkVisibility() || ["SCRIPT", "OPTION"].includes(one.tagName)) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found[`${one.tagName} ${one.className}`] = ratio;
  }
  return [found, getComputedStyle(document.body).backgroundColor];
}"""


def test_every_text_stands_out_in_light_and_in_dark(show: Any) -> None:
    """By 4.5 to 1, as the guidelines for accessibility have it."""
    grounds = set()
    for scheme in ("light", "dark"):
        tab = show(two(), recorded(PROOF), color_scheme=scheme).tab
        tab.get_by_role("button", name=CELL).click()
        faint, ground = tab.evaluate(CONTRAST)
        assert faint == {}, scheme
        grounds.add(ground)
    assert len(grounds) == 2


def test_the_defects_of_a_proof(show: Any) -> None:
    """Each with its outcome and what caught it; by outcome and by words."""
    proof = recorded(PROOF)
    assert isinstance(proof, ProofRecord)
    (caught,) = proof.defects
    others = [
        replace(caught, name="survives", catches=(), outcome=outcome, reason="nobody saw it")
        for outcome in (type(caught.outcome).SURVIVED, type(caught.outcome).UNDECIDED)
    ]
    tab = show(replace(proof, defects=(caught, *others))).tab
    rows = tab.locator(".defects tbody tr:visible")
    assert rows.count() == 3
    tab.get_by_label("Outcome").select_option("survived")
    assert rows.count() == 1
    assert rows.get_by_text("It goes deep.").is_visible()
    assert rows.get_by_text("nobody saw it").is_visible()
    tab.get_by_label("Outcome").select_option("")
    tab.get_by_label("Search the defects").fill("cost.merges")
    assert rows.count() == 1
    assert tab.locator("#backends").is_hidden()


def fifty() -> list[RunRecord]:
    run = two()
    good, bad = run.backends
    heads = [replace(run.head, python=f"3.{number}.0") for number in range(25)]
    return [
        replace(run, backends=(replace(good, head=head), replace(bad, head=head))) for head in heads
    ]


def test_fifty_backends(show: Any) -> None:
    """Each has its column. `page_speed` says how long that takes."""
    tab = show(*fifty(), viewport={"width": 1280, "height": 900}).tab
    tab.locator("#matrix td button").nth(6000).wait_for()
    assert tab.locator("#matrix td button").count() == 50 * len(CLAUSES)
    tab.get_by_label("Backend", exact=True).fill("bad, Python 3.7.0")
    assert tab.locator("#matrix td button").count() == len(CLAUSES)
    assert tab.get_by_text("1 of 50 backends").is_visible()
