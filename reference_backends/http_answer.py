"""An answer to the HTTP store: unpacked, and counted while it comes, so that none is too long."""

from __future__ import annotations

import asyncio
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping

MAX_ANSWER_BYTES: Final = 64 * 2**20
"""Eight times what a platform takes in a body by default. It may answer more than it was sent:
`1e15` is worded 1000000000000000.0."""

MAX_FAILURE_BYTES: Final = 2**16
"""Of an answer that is no success the code is wanted, and a line about it."""

ACCEPTED: Final = "gzip"
"""What is asked for, whatever the library could unpack: of this the bound is known to hold."""

STEP: Final = 2**18
"""Bytes that are unpacked before others have their turn; one byte may become a thousand."""

_GZIP: Final = 16 + zlib.MAX_WBITS


class Answer(NamedTuple):
    """What came back, whole; the content is None where it was not read to its end."""

    status_code: int
    content: bytes | None


class DecodingError(Exception):
    """The body is packed in a way that was not asked for, or is cut off or broken."""


class _TooLongError(Exception):
    pass


def check_length(most: object) -> int:
    """Answer how many bytes an answer may have, or raise ValueError."""
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise ValueError(f"max_answer_bytes is a number of bytes, 1 at the least, not {most!r}")
    return most


async def taken(
    status: int, headers: Mapping[str, str], pieces: AsyncIterable[bytes], most: int
) -> Answer:
    """Answer what the pieces of a body, as they are sent, come to.

    Not more than `most` bytes are kept, of a failure `MAX_FAILURE_BYTES`: None stands for more, and
    for a failure that can't be unpacked. The connection may have the rest on it then.

    Raises:
        DecodingError: the body of a success can't be unpacked.
    """
    most = _most(status, most)
    if int(headers.get("content-length", 0)) > most:
        return Answer(status, None)
    try:
        body = _body(most, headers)
        async for piece in pieces:
            await body.take(piece)
        return Answer(status, body.whole())
    except _TooLongError:
        return Answer(status, None)
    except DecodingError:
        if is_success(status):
            raise
        return Answer(status, None)


def kept(status: int, content: bytes, most: int) -> Answer:
    """Answer the same of a body that somebody has read already."""
    return Answer(status, content if len(content) <= _most(status, most) else None)


def is_success(status: int) -> bool:
    """Answer whether the body is what was asked for, and not a word on why there is none."""
    return 200 <= status < 300


def _most(status: int, most: int) -> int:
    return most if is_success(status) else min(most, MAX_FAILURE_BYTES)


def _body(most: int, headers: Mapping[str, str]) -> _Body:
    packing = headers.get("content-encoding", "").strip().lower()
    if packing in {"", "identity"}:
        return _Body(most)
    if packing in {"gzip", "x-gzip"}:
        return _Packed(most)
    raise DecodingError


class _Body:
    def __init__(self, most: int) -> None:
        self._most = most
        # One buffer, which is answered without a copy: pieces of a few bytes would take thirty
        # times their length, and to join them as much as all of them once more.
        self._text = BytesIO()

    async def take(self, piece: bytes) -> None:
        self._keep(piece)

    def whole(self) -> bytes:
        return self._text.getvalue()

    def _keep(self, piece: bytes) -> None:
        if self._text.tell() + len(piece) > self._most:
            raise _TooLongError
        self._text.write(piece)


class _Packed(_Body):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._unpacking = zlib.decompressobj(_GZIP)

    async def take(self, piece: bytes) -> None:
        self._unpack(piece)
        while left := self._unpacking.unconsumed_tail:
            await asyncio.sleep(0)
            self._unpack(left)

    def whole(self) -> bytes:
        if not self._unpacking.eof:
            raise DecodingError
        return super().whole()

    def _unpack(self, piece: bytes) -> None:
        try:
            text = self._unpacking.decompress(piece, STEP)
        except zlib.error:
            raise DecodingError from None
        if self._unpacking.unused_data:  # of which the library would keep all that comes
            raise DecodingError
        self._keep(text)
