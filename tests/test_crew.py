"""The order in which the workers of a run begin the clauses."""

from __future__ import annotations

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.crew import _rank


def test_what_waits_is_begun_first_and_then_what_takes_long() -> None:
    """Begun last, it would keep a run from its end with nothing else to do."""
    order = [clause.id for clause in sorted(CLAUSES, key=_rank)]
    assert order[0] == "faults.operations-are-bounded"
    for takes_long in (
        "sequence.follows-the-model",
        "durability.server-crash",
        "migration.is-idempotent",
    ):
        assert order.index(takes_long) < order.index("interface.has-every-operation")
