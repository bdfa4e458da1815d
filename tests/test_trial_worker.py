"""How long the processes that try clauses are waited for."""

from __future__ import annotations

from sessionstore_contract.trial_worker import Silence


def test_a_process_that_goes_on_calling_the_store_is_waited_for() -> None:
    """Its silence begins anew with each call: a slow store takes long, and hangs in none."""
    silence = Silence(most=10)
    for call in range(5):
        assert not silence.is_too_long(b"call %d" % call, now=8.0 * call)


def test_a_process_that_stays_in_one_call_is_not() -> None:
    """What is on record is the call that it does not come back from."""
    silence = Silence(most=10)
    assert not silence.is_too_long(b"", now=0)
    assert not silence.is_too_long(b"call", now=9)
    assert not silence.is_too_long(b"call", now=18)
    assert silence.is_too_long(b"call", now=20)
