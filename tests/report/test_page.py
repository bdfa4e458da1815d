"""The page of a report, as a file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.report.assembly import assemble
from sessionstore_contract.report.page import page
from sessionstore_contract.report.reading import recorded
from sessionstore_contract.report.record import ProofRecord
from sessionstore_contract.verdict import Finding, Verdict

from .findings import applied, backend, clause, record_of, said_of, violated
from .test_shape import PROOF

if TYPE_CHECKING:
    from sessionstore_contract.report.document import BackendReport

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
PARTS = "{{script}} {{data}} {{title}}"
DRAWN = (
    "",
    "a  |----1---|        |====2===|",
    "",
    "by their calls, with the place of each in the longest order that works",
    "   1  a   1.  create()  ->  'x'",
)


class Parts(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._is_in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._is_in_script = tag == "script"
        if self._is_in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._is_in_script = False

    def handle_data(self, data: str) -> None:
        if self._is_in_script:
            self.scripts[-1] += data


def page_of(*backends: BackendReport) -> str:
    return page(assemble([record_of(*backends)]))


def data_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Parts(text).scripts[0])
    return found


def told_by(finding: Finding) -> dict[str, Any]:
    """What the page has to tell of one finding."""
    data = data_of(page_of(backend(*applied(finding))))
    number = next(n for n, one in enumerate(data["clauses"]) if one["id"] == finding.clause.id)
    told: dict[str, Any] = data["backends"][0]["told"][str(number)]
    return told


def test_the_data_is_the_matrix() -> None:
    """Every clause once, and for each backend a letter for each of them."""
    data = data_of(page_of(backend(*applied()), backend(*applied(violated("values.deep-nesting")))))
    assert [one["id"] for one in data["clauses"]] == [one.id for one in CLAUSES]
    good, bad = (one["cells"] for one in data["backends"])
    assert (len(good), good.count("v"), bad.count("v")) == (len(CLAUSES), 0, 1)
    assert data["clauses"][0]["because"] == CLAUSES[0].because


def test_nothing_is_loaded_and_no_other_script_runs() -> None:
    """The page allows itself its own script and style, and nothing from anywhere."""
    parts = Parts(page_of(backend(*applied())))
    digest = base64.b64encode(hashlib.sha256(parts.scripts[1].encode()).digest()).decode()
    policy = next(given["content"] for tag, given in parts.elements if "http-equiv" in given)
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    assert not any({"src", "href"} & set(given) for tag, given in parts.elements if tag != "a")
    assert [given["href"] for tag, given in parts.elements if tag == "a"] == ["#matrix"]


@pytest.mark.parametrize("text", [HOSTILE, PARTS, "\x1b[31m\ud800\u202e\x00", "&lt;b&gt;"])
def test_a_hostile_answer_adds_no_element(text: str) -> None:
    """Wherever it stands; the page is ASCII but for its own words."""
    finding = violated("cost.merge-is-shallow", text, witness=(text,), demanded=text, answered=text)
    hostile = backend(*applied(finding), name=text, server=text, target=text)
    made = page_of(hostile)
    plain = page_of(backend(*applied(violated("cost.merge-is-shallow", "no"))))
    assert [tag for tag, _ in Parts(made).elements] == [tag for tag, _ in Parts(plain).elements]
    assert Parts(made).scripts[1] == Parts(plain).scripts[1]
    # Some ends of a script are ends to a browser alone.
    assert "<" not in Parts(made).scripts[0]
    made.encode("utf-8")
    assert data_of(made)["backends"][0]["name"].isprintable()


def test_ten_megabytes_are_cut() -> None:
    """Of each thing that a store says, and of a history."""
    ten = "<" * 10_000_000
    lines = (ten, *(str(number) for number in range(999)))
    clauses = applied(violated("cost.merge-is-shallow", witness=lines, answered=ten))
    made = page_of(backend(*clauses, name=ten))
    assert len(made) < 500_000
    data = data_of(made)
    (told,) = (one for one in data["backends"][0]["told"].values() if "witness" in one)
    assert len(told["witness"]) == 201
    assert told["witness"][100] == "... 800 more lines ..."


def test_a_history_that_is_drawn_is_known_as_such() -> None:
    """It is shown as it was drawn; another is a list of calls."""
    drawn = violated("concurrency.histories-are-linearisable", witness=DRAWN)
    listed = violated("cost.merge-is-shallow", witness=("create()  ->  'a'", "x()  ->  '|---|'"))
    assert told_by(drawn)["drawn"] is True
    assert "drawn" not in told_by(listed)


def test_what_there_is_to_say_of_an_admission() -> None:
    """Its reason."""
    admitted = Finding(clause("cost.merge-is-shallow"), Verdict.ADMITTED, reason="see 12")
    assert told_by(admitted) == {"reason": "see 12"}


def test_the_clauses_of_another_contract_have_rows_of_their_own() -> None:
    """At the end of their area; who has not such a clause has no verdict on it."""
    said = said_of(backend(*applied()))
    said["contract"] |= {"version": "2.0", "digest": "sha256:0"}
    said["backends"][0]["clauses"][0]["id"] = "interface.is-new"
    run = recorded(said)
    assert not isinstance(run, ProofRecord)
    data = data_of(page(assemble([record_of(backend(*applied())), run])))
    ids = [one["id"] for one in data["clauses"]]
    areas = [one["area"] for one in data["clauses"]]
    new = ids.index("interface.is-new")
    assert areas[new - 1] == "interface" != areas[new + 1]
    assert [one["cells"][new] for one in data["backends"]] == ["-", "h"]
    assert [one["cells"][0] for one in data["backends"]] == ["h", "-"]
    assert data["subtitle"][-1].startswith("1 run is of another version of the contract")


def test_a_proof_is_in_it() -> None:
    """With each defect, what caught it, and what could catch nothing."""
    proof = recorded(PROOF)
    assert isinstance(proof, ProofRecord)
    made = page(assemble([]), [proof])
    (said,) = data_of(made)["proofs"]
    assert said["defects"][0]["by"] == [["cost.merges", "it merges"]]
    assert said["notes"][1].endswith("catch nothing: cost.merges.")
    assert re.search(r"<title>What the contract catches on mine</title>", made)
