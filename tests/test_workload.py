"""Calls at once, drawn as plain data."""

from __future__ import annotations

from random import Random
from typing import Any

from sessionstore_contract.workload import PlannedCall, Round, workload

ALL = {"cost-read", "retention"}


def calls(rounds: list[Round]) -> list[PlannedCall]:
    return [call for one in rounds for client in one.clients for call in client]


def test_a_seed_draws_the_same_calls_again() -> None:
    """Equal seeds, equal data; another seed, other data."""
    assert workload(Random(1), 3, 4, ALL) == workload(Random(1), 3, 4, ALL)
    assert workload(Random(1), 3, 4, ALL) != workload(Random(2), 3, 4, ALL)


def test_each_client_is_given_so_many_calls() -> None:
    """In every round; sessions are numbered from 0."""
    rounds = workload(Random(1), 3, 4, ALL, sessions=2, rounds=5)
    assert [[len(client) for client in one.clients] for one in rounds] == [[4, 4, 4]] * 5
    assert {call.session for call in calls(rounds)} == {0, 1}


def test_every_write_has_a_value_of_its_own() -> None:
    """Over all rounds, so that a read names its writer."""
    values: list[Any] = []
    for call in calls(workload(Random(1), 4, 10, ALL, sessions=2, rounds=10)):
        if call.operation == "save":
            values.append(call.argument[0]["content"])
        elif call.operation == "update" and call.argument:
            assert len(set(call.argument.values())) == 1
            values.append(next(iter(call.argument.values())))
    assert len(values) > 100
    assert len(set(values)) == len(values)


def test_only_what_is_claimed_is_called() -> None:
    """A store that can't be read for cost data, or keeps no house, is not asked to."""
    everything = calls(workload(Random(1), 4, 20, ALL, rounds=20))
    names = {
        "create", "load", "save", "update", "get_cost_data", "delete", "exists", "delete_before"
    }  # fmt: skip
    assert {call.operation for call in everything} == names
    plain = workload(Random(1), 4, 20, {"persistence"}, rounds=20)
    assert {call.operation for call in calls(plain)} == names - {"get_cost_data", "delete_before"}
    assert {call.operation for one in plain for call in one.quiet} == {"exists", "load"}


def test_each_round_ends_with_quiet_reads_of_every_session() -> None:
    """What nobody looks at is never found."""
    for one in workload(Random(1), 2, 3, ALL, sessions=2, rounds=3):
        assert [(call.operation, call.session) for call in one.quiet] == [
            (name, session) for session in (0, 1) for name in ("exists", "load", "get_cost_data")
        ]


def test_a_session_is_made_once_or_raced_for() -> None:
    """Only the first round may open; where sessions come and go it may leave that to the race."""
    openings = set()
    for seed in range(40):
        first, second = workload(Random(seed), 2, 3, ALL, rounds=2)
        openings.add(first.opening)
        assert second.opening == ()
    assert openings == {(), (PlannedCall("create", 0),)}
