"""The thread of a trial that is given up ends, wherever it is in Python."""

from __future__ import annotations

import threading
import weakref

from sessionstore_contract.abandoning import Abandoned, abandon


class Thing:
    """Something that ends."""


def test_a_thread_that_never_comes_back_ends() -> None:
    """What it is raised in may tidy up first."""
    begun, done, ended = threading.Event(), threading.Event(), []

    def run() -> None:
        try:
            begun.set()
            while True:
                pass
        except Abandoned:
            ended.append("tidied up")
        finally:
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    begun.wait()
    abandon(thread, done)
    assert (done.is_set(), ended) == (True, ["tidied up"])


def test_a_thread_ends_where_python_lets_nothing_through() -> None:
    """It is raised again, and no hook tells anybody: pytest would make an error of it."""
    within, going_on, done = threading.Event(), threading.Event(), threading.Event()

    def wait_to_be_abandoned(_: object) -> None:
        within.set()
        while True:  # Python swallows what ends this
            pass

    def run() -> None:
        try:
            thing = Thing()
            kept = weakref.ref(thing, wait_to_be_abandoned)
            del thing
            assert kept() is None
            going_on.set()
            while True:
                pass
        except Abandoned:
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    within.wait()
    abandon(thread, done)
    assert (going_on.is_set(), done.is_set()) == (True, True)


def test_a_thread_that_has_ended_is_left_alone() -> None:
    """Its number may be that of another one by then."""
    done = threading.Event()
    done.set()
    abandon(threading.current_thread(), done)
