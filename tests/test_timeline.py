"""A judged history as a picture, on the terminal and as a page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sessionstore_contract.linearizability import Judgement, Operation, Outcome, Ruling, judge
from sessionstore_contract.timeline import draw, picture
from sessionstore_contract.timeline_page import page, write_page
from tests.linearizability.histories import HALF, written
from tests.linearizability.simulation import Simulation

TORN: list[tuple[Any, ...]] = [
    (1, 2, "create", "s"),
    (3, 8, "update", {"a": 1, "b": 1}, True),
    (4, 5, "get_cost_data", {"a": 1}),
    (6, 7, "load", []),
]

DRAWN = """\
no order of 3 operations explains that get_cost_data() answers {'a': 1}

a  |-----1-----|           |-----------------2---------------->
b                                      |=====3=====|

by their calls, with the place of each in the longest order that works
   1  a   1.  create()  ->  's'
   2  a   2.  update({'a': 1, 'b': 1})  ->  ?
>  3  b       get_cost_data()  ->  {'a': 1}

> no order gets past this, however the others are placed (drawn with =)
? no answer until then: it may have taken effect, or not"""

HOSTILE: list[Any] = [
    "</title><script>alert(1)</script>",
    "\x1b[2J\x1b]0;title\x07\r\n\t\x00",
    "\ud800\udfff\u202eback",
    "x" * 100_000,
    [["deep"] * 50] * 50,
]


class Evil:
    def __repr__(self) -> str:
        return "<img src=x onerror=alert(1)>\x1b[31m\ud800"


class Elements(HTMLParser):
    """The elements of a page, and what they load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.loaded += [name for name, _ in attrs if name in {"src", "href"} or name[:2] == "on"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def hostile(value: Any) -> list[Operation]:
    calls: list[tuple[Any, ...]] = [
        (1, 2, "create", "s"),
        (3, 4, "save", [value], None),
        (5, 6, "update", {"key": value}, True),
        (7, None, "delete", None),
        (8, 9, "load", [value]),
        (10, 11, "load", []),
    ]
    return written(*calls)


def test_a_counterexample_is_drawn() -> None:
    """The lanes, the calls with their places in the order, and where it breaks."""
    assert draw(judge(written(*TORN))) == DRAWN


def test_a_long_picture_is_drawn_in_bands() -> None:
    """No line is wider than the terminal, and every operation is in it."""
    found = judge(Simulation(Random(3), clients=8).history(60))
    lines = draw(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert found.ruling is Ruling.EXPLAINED
    assert "with the place of each in an order that explains them" in draw(found)
    assert sum("  ->  " in line or line.endswith("  ->") for line in lines) >= len(found.order)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("value", HOSTILE, ids=["html", "terminal", "surrogates", "long", "wide"])
def test_nothing_that_a_store_answers_breaks_the_text(value: Any, width: int) -> None:
    """Nothing reaches the terminal that it would act on, and no line is too wide."""
    text = draw(judge(hostile(value)), width=width)
    assert all(line.isprintable() and len(line) <= width for line in text.split("\n"))
    text.encode()


@pytest.mark.parametrize("value", HOSTILE, ids=["html", "terminal", "surrogates", "long", "wide"])
def test_nothing_that_a_store_answers_breaks_the_page(value: Any, tmp_path: Path) -> None:
    """It is text in a page that is whole, runs nothing and loads nothing."""
    path = write_page(judge(hostile(value)), tmp_path / "new" / "folder", "race")
    assert path == tmp_path / "new" / "folder" / "race.html"
    text = path.read_text("utf-8")
    elements = Elements(text)
    assert elements.open == []
    assert elements.loaded == []
    assert elements.names.isdisjoint({"script", "img", "link", "iframe", "object"})
    assert len(text) < 30_000
    assert text.replace("\n", "").isprintable()


def test_objects_of_a_stores_own_are_drawn() -> None:
    """Whatever their repr is."""
    found = judge(written((1, 2, "create", "s"), (3, 4, "exists", Evil())))
    assert "<img" not in page(found)
    assert "\x1b" not in draw(found)


def test_a_page_marks_where_the_order_breaks() -> None:
    """The bar and the row of the operation, those without an answer, and both colour schemes."""
    text = page(judge(written(*TORN)))
    assert text.count('class="bar break"') == 1
    assert text.count('<tr class="break">') == 1
    assert text.count('class="bar unknown"') == 1
    assert "prefers-color-scheme: dark" in text
    assert "The longest order that works" in text


def test_calls_of_an_instance_at_once_have_lanes_of_their_own() -> None:
    """With several instances each lane names its instance."""
    operations = [
        Operation(1, "save", HALF, None, Outcome.OK, 1, 4, 2),
        Operation(2, "save", HALF, None, Outcome.OK, 2, 3, 2),
        Operation(3, "save", HALF, None, Outcome.OK, 5, 6, 10),
        Operation(4, "save", HALF, None, Outcome.OK, 7, 8, 2),
    ]
    drawn = picture(judge(operations))
    assert [bar.lane for bar in drawn.bars] == ["2a", "2b", "10a", "2a"]
    assert drawn.lanes == ("2a", "2b", "10a")
    alone = picture(judge(written(*((n, None, "delete", None) for n in range(1, 40)))))
    assert alone.lanes == ()


def test_what_could_not_be_decided_has_no_picture() -> None:
    """One line says so."""
    nothing = Judgement(Ruling.UNDECIDED, (), 5)
    assert draw(nothing) == "no order was found among 5 situations, nor that none is"
    assert Elements(page(nothing)).open == []
