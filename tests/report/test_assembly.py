"""Several runs as one matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.report.assembly import assemble
from sessionstore_contract.report.record import RunRecord

from .findings import applied, backend, record_of


def run(**head: Any) -> RunRecord:
    plain = record_of(backend(*applied()))
    return replace(plain, head=replace(plain.head, **head))


def test_backends_are_in_the_order_of_the_runs() -> None:
    """And the clauses in that of the contract, each once."""
    both = record_of(backend(*applied(), name="b"), backend(*applied(), name="a"))
    made = assemble([both, record_of(backend(*applied(), name="c"))])
    assert made.names == ("b", "a", "c")
    assert [row.id for row in made.rows] == [one.id for one in CLAUSES]
    assert all(row.clause in CLAUSES for row in made.rows)


def test_each_contract_is_named_once() -> None:
    """As the kit calls it, or as the report does where the kit has none of that name."""
    made = assemble([run(), run(), run(contract="wire"), run(contract="shop", version="2.1")])
    assert made.titles() == ["contract 1.0", "contract of a platform 1.0", "contract shop 2.1"]


def test_runs_of_other_words_are_known() -> None:
    """Their digest is another, or their contract none of the kit's."""
    others = run(digest="sha256:0"), run(contract="shop")
    assert assemble([run(), *others]).strangers() == list(others)
