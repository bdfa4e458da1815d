"""What is heard of logs and warnings, and read off an exception."""

from __future__ import annotations

import logging
import threading
import warnings
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.contract.procedures.eavesdropping import (
    eavesdropping,
    overhearing,
    shown_by,
    shown_by_object,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "sesame-0123456789"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Lend a logger that says only what is grave, and keeps to itself."""
    lent = logging.getLogger("tests.eavesdropping.lent")
    lent.setLevel(logging.ERROR)
    lent.propagate = False
    yield lent
    lent.setLevel(logging.NOTSET)
    lent.propagate = True


class Kept(logging.Handler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def whole(heard: list[tuple[str, str]]) -> str:
    return "\n".join(f"{who}: {what}" for who, what in heard)


def test_every_logger_is_heard_at_its_finest(logger: logging.Logger) -> None:
    """One that is quiet and one that was made meanwhile too, in message, extras and traceback."""
    with eavesdropping() as heard:
        logger.debug("the %s", "message")
        logging.getLogger("tests.eavesdropping.new").debug("new", extra={"more": "an extra"})
        try:
            raise ValueError("in a traceback")
        except ValueError:
            logger.exception("failed")
    found = whole(heard)
    for text in (
        "the message",
        "an extra",
        "in a traceback",
        "the logger tests.eavesdropping.lent",
    ):
        assert text in found


def test_what_was_switched_off_is_heard(logger: logging.Logger) -> None:
    """`logging.disable` silences nothing that a secret may be in."""
    logger.addHandler(handler := Kept())
    logging.disable(logging.CRITICAL)
    try:
        with eavesdropping() as heard:
            logger.error("said all the same")
        assert logging.root.manager.disable == logging.CRITICAL
    finally:
        logging.disable(logging.NOTSET)
        logger.removeHandler(handler)
    assert "said all the same" in whole(heard)
    assert handler.said == []


def test_others_hear_what_they_would_have_heard(logger: logging.Logger) -> None:
    """Their handlers are not flooded, and levels, handlers and filters are as before."""
    handler = Kept()
    logger.addHandler(handler)
    handlers = list(logger.handlers)
    chatty = logger.getChild("chatty")
    chatty.setLevel(logging.DEBUG)
    with eavesdropping():
        logger.debug("fine")
        logger.error("grave")
        logger.getChild("child").info("fine")
        logger.getChild("child").error("grave too")
        chatty.info("not so fine")
    logger.debug("fine")
    chatty.setLevel(logging.NOTSET)
    assert handler.said == ["grave", "grave too", "not so fine"]
    assert (logger.level, logger.handlers, handler.filters) == (logging.ERROR, handlers, [])
    logger.removeHandler(handler)


def test_the_kit_is_not_heard() -> None:
    """What its own servers log is not the store's."""
    with eavesdropping() as heard:
        logging.getLogger("sessionstore_contract.storage").error("ours")
        ours = threading.Thread(
            target=logging.getLogger("tests.eavesdropping").error,
            args=["ours"],
            name="sessionstore-contract services",
        )
        ours.start()
        ours.join()
    assert heard == []


def test_warnings_are_heard_and_shown() -> None:
    """Whoever shows warnings goes on showing them."""
    show = warnings.showwarning
    with pytest.warns(UserWarning, match="careful"), eavesdropping() as heard:
        warnings.warn("careful", UserWarning, stacklevel=1)
    assert "a UserWarning: careful" in whole(heard)
    assert warnings.showwarning is show


def test_what_is_printed_unasked_is_overheard(logger: logging.Logger) -> None:
    """Warnings and errors, with their tracebacks and fields; nothing that has to be asked for."""
    logger.setLevel(logging.DEBUG)
    with overhearing() as heard:
        logger.debug("not this")
        logger.info("nor this")
        logger.warning("the %s", "warning", extra={"more": "a field"})
        try:
            raise ValueError("in a traceback")
        except ValueError:
            logging.getLogger("tests.eavesdropping.new").exception("failed")
    found = whole(heard)
    assert "not this" not in found
    assert "nor this" not in found
    assert all(one in found for one in ("the warning", "a field", "in a traceback"))


def test_what_a_store_has_silenced_is_not_overheard(logger: logging.Logger) -> None:
    """A level is a way to keep a driver quiet."""
    with overhearing() as heard:
        logger.warning("told to nobody")
    assert heard == []


def test_overhearing_leaves_loggers_as_they_were(logger: logging.Logger) -> None:
    """Nobody hears more or less of them, during it and afterwards."""
    logger.addHandler(handler := Kept())
    before = [(one, list(one.handlers), one.level) for one in (logging.root, logger)]
    with overhearing():
        logger.warning("fine")
        logger.error("grave")
    assert handler.said == ["grave"]
    assert before == [(one, one.handlers, one.level) for one in (logging.root, logger)]
    logger.removeHandler(handler)


def test_what_another_handler_made_of_a_traceback_is_not_overheard(logger: logging.Logger) -> None:
    """Some show the variables of each frame: what a chat says is in those of any store."""
    record = logging.makeLogRecord({"levelno": logging.ERROR, "name": logger.name})
    record.exc_info = (ValueError, ValueError("failed"), None)
    record.exc_text = f"content = {SECRET!r}"
    with overhearing() as heard:
        logger.handle(record)
    assert len(heard) == 1
    assert SECRET not in whole(heard)
    assert record.exc_text == f"content = {SECRET!r}"


class Silent(Exception):  # noqa: N818 - it is one
    """Shows nothing of itself."""

    def __str__(self) -> str:
        return ""

    def __repr__(self) -> str:
        return ""


class Unprintable:
    """Can't be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def raised(raiser: str) -> BaseException:
    """Raise in one of several ways and answer what came."""
    try:
        match raiser:
            case "text":
                raise ValueError(SECRET)
            case "args":
                raise Silent(SECRET)
            case "note":
                error = ValueError("noted")
                error.add_note(SECRET)
                raise error
            case "cause":
                raise ValueError("shown") from ValueError(SECRET)
            case "group":
                raise ExceptionGroup("several", [ValueError(SECRET)])
        try:
            raise ValueError(SECRET)
        except ValueError:
            if raiser == "context":
                raise KeyError("shown")  # noqa: B904 - not said from what
            raise KeyError("shown") from None
    except Exception as error:  # noqa: BLE001 - any of them
        return error


@pytest.mark.parametrize("raiser", ["text", "args", "note", "cause", "context", "group"])
def test_an_exception_shows_all_that_a_traceback_shows(raiser: str) -> None:
    """Text, arguments, notes and the whole chain."""
    assert any(SECRET in text for _, text in shown_by(raised(raiser)))


def test_what_was_left_out_of_a_traceback_is_not_shown() -> None:
    """`from None` is a way to hold back what a driver said."""
    assert not any(SECRET in text for _, text in shown_by(raised("from None")))


def test_of_some_exceptions_what_is_printed_counts_alone() -> None:
    """An encoder's error has the whole text in its arguments, and one character in its own."""
    error = UnicodeEncodeError("utf-8", f"{SECRET} \ud800", 18, 19, "surrogates not allowed")
    assert any(SECRET in text for _, text in shown_by(error))
    assert not any(SECRET in text for _, text in shown_by(error, in_print_alone=(UnicodeError,)))


def test_where_it_shows_is_told_along_the_chain() -> None:
    """As one says it."""
    assert [where for where, text in shown_by(raised("cause")) if SECRET in text] == [
        *(f"its cause's {one}" for one in ("text", "repr", "args")),
        "its traceback",
    ]


def test_a_chain_that_bites_its_tail_ends() -> None:
    """Two exceptions may be each other's cause."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert len(list(shown_by(one))) == 9


def test_an_object_that_can_t_be_shown_shows_nothing() -> None:
    """It is no error of whoever looks."""
    assert list(shown_by_object(Unprintable())) == [("repr", ""), ("str", "")]
