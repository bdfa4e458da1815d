"""Keeping a store from ending the process in which it is tried."""

from __future__ import annotations

import os
import signal
import threading
import warnings

import pytest

from sessionstore_contract.exits import ProcessExit, exits_refused

REALLY = os._exit, os.abort


def test_ending_the_process_is_an_exception() -> None:
    """os._exit and os.abort raise, with what was asked, and nothing catches it by accident."""
    with exits_refused():
        assert os._exit is not REALLY[0]
        assert os.abort is not REALLY[1]
        with pytest.raises(ProcessExit, match=r"os\._exit\(3\) would have ended the process"):
            os._exit(3)
        with pytest.raises(ProcessExit, match=r"os\.abort\(\) would have ended the process"):
            os.abort()
    assert not issubclass(ProcessExit, Exception)


def test_both_are_as_before_afterwards() -> None:
    """Also when what runs inside raises."""
    with pytest.raises(ValueError, match="inside"), exits_refused():
        raise ValueError("inside")
    assert (os._exit, os.abort) == REALLY


def test_trials_that_overlap_leave_no_trace() -> None:
    """The first to end does not allow what the second still refuses, and the last cleans up."""
    first, second = exits_refused(), exits_refused()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert os._exit is not REALLY[0]
    second.__exit__(None, None, None)
    assert (os._exit, os.abort) == REALLY


def test_it_holds_in_every_thread() -> None:
    """A store may call it from a thread of its own."""
    caught: list[BaseException] = []

    def end() -> None:
        try:
            os._exit(1)
        except ProcessExit as error:
            caught.append(error)

    with exits_refused():
        assert os._exit is not REALLY[0]
        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_a_forked_child_may_exit() -> None:
    """A child that a store forks ends itself the usual way."""
    with exits_refused(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        child = os.fork()
        if child == 0:
            try:
                os._exit(7)
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
