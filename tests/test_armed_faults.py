"""Faults that are armed at a place in a conversation: each is done there, once, and says so."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.fault import Answer, Deed, Fault, Request
from sessionstore_contract.faults import Proxy
from sessionstore_contract.port import Port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionstore_contract.fault import Armed

PATIENCE = 20
"""Seconds after which a test that waits has failed."""

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"


async def echo(connection: socket.socket) -> None:
    """Answer each piece with itself in brackets, and the end with an end."""
    loop = asyncio.get_running_loop()
    while said := await loop.sock_recv(connection, 1000):
        await loop.sock_sendall(connection, b"<" + said + b">")


class Counting:
    """A service of HTTP that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def converse(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        said = b""
        while more := await loop.sock_recv(connection, 1000):
            said += more
            if b"\r\n\r\n" not in said or (b"POST" in said and not said.endswith(b"body")):
                continue
            self.asked.append(said)
            body = b"number %d" % len(self.asked)
            await loop.sock_sendall(
                connection, HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
            )
            if b"connection: close" in said:
                return
            said = b""


@contextmanager
def serving(port: Port) -> Iterator[Proxy]:
    port.open()
    proxy = Proxy(f"http://127.0.0.1:{port.number}")
    proxy.forward()
    try:
        yield proxy
    finally:
        proxy.close()
        port.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Lend a proxy before a server that answers with what it is told, in brackets."""
    with serving(Port(echo)) as standing:
        yield standing


@pytest.fixture
def service() -> Iterator[tuple[Counting, Proxy]]:
    """Lend a service of HTTP and a proxy before it."""
    counting = Counting()
    with serving(Port(counting.converse)) as standing:
        yield counting, standing


def dial(proxy: Proxy) -> socket.socket:
    port = int(proxy.place.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def ask(client: socket.socket, said: bytes, length: int) -> bytes:
    client.sendall(said)
    return read(client, length)


def read(client: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length and (more := client.recv(length - len(found))):
        found += more
    return found


def rest(client: socket.socket) -> bytes:
    """Read what comes until the end, or until a reset, which is told."""
    found = b""
    try:
        while more := client.recv(1000):
            found += more
    except ConnectionResetError:
        found += b"(reset)"
    return found


@pytest.mark.parametrize(
    ("deed", "end"),
    [(Deed.END, b"<a"), (Deed.RESET, b"<a(reset)"), (Deed.RUBBISH, b"<a\x15\x03\x03\x00\x02\x02(")],
)
def test_an_answer_is_cut_at_its_place(proxy: Proxy, deed: Deed, end: bytes) -> None:
    """The second one, after two bytes; the first passes whole, and so does the next connection."""
    with dial(proxy) as client:
        assert ask(client, b"before", 8) == b"<before>"
        armed = proxy.arm(Fault(deed, answer=2, after=2))
        assert ask(client, b"one", 5) == b"<one>"
        assert (armed.happened, armed.told) == (0, [])
        client.sendall(b"abc")
        assert rest(client) == end
    assert armed.happened == 1
    assert armed.told[0].startswith("answer 2 on connection 1, but for 2 B, was ")
    with dial(proxy) as other:
        assert [ask(other, said, 3) for said in (b"x", b"y")] == [b"<x>", b"<y>"]


def test_a_half_that_is_ended_leaves_the_other_open(proxy: Proxy) -> None:
    """What the store says is taken and forwarded; the answers to it are lost."""
    with dial(proxy) as client:
        proxy.arm(Fault(Deed.END))
        client.sendall(b"abc")
        assert rest(client) == b""
        sent = proxy.sent
        client.sendall(b"more")
        until(lambda: proxy.sent == sent + 4)


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_one_conversation_is_held_and_the_others_pass(proxy: Proxy) -> None:
    """By what is said on it; it is let go with nothing lost."""
    armed = proxy.arm(Fault(Deed.HOLD, about=b"mine", after=1))
    with dial(proxy) as held, dial(proxy) as other:
        assert ask(other, b"yours", 7) == b"<yours>"
        assert ask(held, b"it is mine", 1) == b"<"
        armed.first.result(PATIENCE)
        assert ask(other, b"again", 7) == b"<again>"
        held.sendall(b"more")
        until(lambda: armed.said_after == b"more")
        armed.release()
        assert read(held, 17) == b"it is mine><more>"
    assert armed.happened == 1


def test_words_are_found_across_pieces(proxy: Proxy) -> None:
    """A network cuts where it likes."""
    armed = proxy.arm(Fault(Deed.RESET, about=b"the session"))
    with dial(proxy) as client:
        assert ask(client, b"the ses", 9) == b"<the ses>"
        client.sendall(b"sion")
        assert rest(client) == b"(reset)"
    assert armed.happened == 1


def test_a_request_is_dropped_before_the_server_has_it(proxy: Proxy) -> None:
    """For certain it has had no effect."""
    armed = proxy.arm(Fault(Deed.DROP, about=b"lost"))
    with dial(proxy) as client:
        assert ask(client, b"kept", 6) == b"<kept>"
        received = proxy.received
        client.sendall(b"lost")
        assert rest(client) == b"(reset)"
    assert (armed.happened, proxy.received) == (1, received)


def test_a_slow_answer_comes_whole(proxy: Proxy) -> None:
    """Byte by byte, and then the rest."""
    armed = proxy.arm(Fault(Deed.TRICKLE, times=None))
    with dial(proxy) as client:
        client.sendall(b"abc" * 50)
        first = client.recv(1000)
        assert first + read(client, 152 - len(first)) == b"<" + b"abc" * 50 + b">"
    assert len(first) < 152
    assert armed.happened == 1


def test_it_is_found_out_how_long_answers_are(proxy: Proxy) -> None:
    """Those to one question, in however many pieces, are one."""
    armed = proxy.arm(Fault(Deed.LISTEN, about=b"b", times=None))
    with dial(proxy) as client:
        for said in (b"a", b"bb", b"ccc"):
            ask(client, said, len(said) + 2)
    assert armed.lengths == {1: 4, 2: 5}


def test_a_server_that_is_silent_takes_what_is_said(proxy: Proxy) -> None:
    """Old connections and new ones; when it speaks again, nothing is lost."""
    with dial(proxy) as old:
        assert ask(old, b"a", 3) == b"<a>"
        proxy.silence()
        with dial(proxy) as new:
            old.sendall(b"b")
            new.sendall(b"c")
            until(lambda: proxy.withheld == 6)
            old.setblocking(False)
            with pytest.raises(BlockingIOError):
                old.recv(1)
            old.settimeout(PATIENCE)
            proxy.forward()
            assert (read(old, 3), read(new, 3)) == (b"<b>", b"<c>")


@pytest.mark.parametrize(("by_reset", "end"), [(True, b"(reset)"), (False, b"")])
def test_idle_connections_are_dropped(proxy: Proxy, by_reset: bool, end: bytes) -> None:
    """All that there are, and no others."""
    with dial(proxy) as one, dial(proxy) as two:
        for client in (one, two):
            ask(client, b"a", 3)
        assert len(proxy.numbers()) == 2
        assert proxy.drop(by_reset=by_reset) == 2
        assert [rest(client) for client in (one, two)] == [end, end]
        assert proxy.numbers() == []
        with dial(proxy) as three:
            assert ask(three, b"b", 3) == b"<b>"


def test_what_is_disarmed_is_forgotten(proxy: Proxy) -> None:
    """And what it holds is let go."""
    proxy.arm(Fault(Deed.RESET))
    held = proxy.arm(Fault(Deed.HOLD))
    with dial(proxy) as client:
        proxy.disarm()
        assert ask(client, b"a", 3) == b"<a>"
    assert held.happened == 0


GET = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"
POST = (b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n", b"this is body")


def forged(request: Request) -> Answer:
    return Answer(503, {"x-asked": request.target}, b"no")


def test_a_request_is_answered_in_place_of_the_server(service: tuple[Counting, Proxy]) -> None:
    """A connection that is in use, and a new one; the server hears nothing."""
    counting, proxy = service
    with dial(proxy) as client:
        whole = len(HEAD + b"content-length: 8\r\n\r\nnumber 1")
        assert ask(client, GET, whole).endswith(b"number 1")
        armed = proxy.arm(Fault(Deed.FORGE, times=None, forge=forged))
        client.sendall(GET)
        found = rest(client)
    assert found.startswith(b"HTTP/1.1 503 Service Unavailable\r\nx-asked: /a\r\n")
    assert found.endswith(b"content-length: 2\r\nconnection: close\r\n\r\nno")
    assert len(counting.asked) == 1
    assert armed.told == ["GET on connection 1 was answered by the kit"]


def test_a_request_may_name_in_its_body_what_it_is_about(
    service: tuple[Counting, Proxy],
) -> None:
    """It is taken whole before it is looked at."""
    counting, proxy = service
    armed = proxy.arm(Fault(Deed.FORGE, about=b"is body", forge=forged))
    with dial(proxy) as client:
        client.sendall(POST[0])
        client.sendall(POST[1])
        assert rest(client).endswith(b"no")
    assert (len(counting.asked), armed.happened) == (0, 1)


@pytest.mark.parametrize(("method", "times"), [(b"PUT", 2), (b"GET", 1)])
def test_a_request_is_delivered_twice(
    service: tuple[Counting, Proxy], method: bytes, times: int
) -> None:
    """As somebody on the way may do, where the method says that it may be repeated."""
    counting, proxy = service
    armed = proxy.arm(Fault(Deed.FORGE, repeats=True))
    with dial(proxy) as client:
        client.sendall(GET.replace(b"GET", method))
        assert rest(client).endswith(b"number %d" % times)
    assert (len(counting.asked), armed.happened) == (times, times - 1)


def shortened(_: Request, answer: Answer) -> Answer | None:
    return Answer(answer.status, answer.headers, answer.body, declared=20)


def left_alone(_: Request, __: Answer) -> None:
    return None


def test_a_true_answer_is_spoilt(service: tuple[Counting, Proxy]) -> None:
    """It says that it is longer than it is; or it is left as it was, and nothing has happened."""
    _, proxy = service
    armed = [spoiling(proxy, shortened)]
    with dial(proxy) as client:
        client.sendall(GET)
        found = rest(client)
    assert b"content-length: 20\r\n" in found
    assert found.endswith(b"number 1")
    armed.append(spoiling(proxy, left_alone))
    with dial(proxy) as client:
        client.sendall(GET)
        assert rest(client).endswith(b"number 2")
    assert [one.happened for one in armed] == [1, 0]


def test_a_server_is_asked_for_a_body_as_it_is(service: tuple[Counting, Proxy]) -> None:
    """Whatever the store can decode: what is packed can't be read, and not be spoilt."""
    counting, proxy = service
    spoiling(proxy, left_alone)
    with dial(proxy) as client:
        client.sendall(GET.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip, br\r\n\r\n"))
        assert rest(client).endswith(b"number 1")
    (asked,) = counting.asked
    assert b"accept-encoding: identity\r\n" in asked
    assert b"gzip" not in asked


def still_packed(_: Request, answer: Answer) -> Answer:
    return Answer(answer.status, {"content-encoding": "gzip"}, answer.body)


def test_what_is_packed_all_the_same_is_said_to_be(service: tuple[Counting, Proxy]) -> None:
    """Else the store takes for the body what it has to unpack."""
    _, proxy = service
    spoiling(proxy, still_packed)
    with dial(proxy) as client:
        client.sendall(GET)
        assert b"content-encoding: gzip\r\n" in rest(client)


def spoiling(proxy: Proxy, spoil: Callable[[Request, Answer], Answer | None]) -> Armed:
    return proxy.arm(Fault(Deed.FORGE, spoil=spoil))
