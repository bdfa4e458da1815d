"""Cost data written over where it stands, in the row of a session with a long history.

To change one column SQLite writes the whole row anew, and into its log besides. What keeps its
length can be written over where it stands. So the cost data of such a session is followed by
spaces, which mean nothing in JSON, and the next, which is a few digits longer, has its length.
"""

from __future__ import annotations

import gc
import sqlite3
from typing import Final, NamedTuple
from weakref import ref

from reference_backends.sqlite_layout import now_text

LONG: Final = 2**17
"""Bytes of messages; the source is docs/decisions/070."""

_STEP: Final = 64
_MOST_BLOBS: Final = 64
_ROW = "SELECT CAST(cost_data AS BLOB), rowid FROM sessions WHERE session_id = ?"
_ROW_WITHOUT_ROWID = "SELECT CAST(cost_data AS BLOB), NULL FROM sessions WHERE session_id = ?"
_UPDATE = "UPDATE sessions SET cost_data = ?, updated_at = ? WHERE session_id = ?"
# No trigger, index or computed column learns of what is written over, and no CHECK is asked. Nor is
# a column of somebody's that is called `rowid` the number by which SQLite finds a row.
_IS_PLAIN = """
    SELECT typeof(cost_data) = 'text' AND typeof(updated_at) = 'text'
    AND (SELECT encoding FROM pragma_encoding) = 'UTF-8'
    AND (SELECT count(*) FROM sqlite_master WHERE tbl_name = 'sessions') = 2
    AND (SELECT sql FROM sqlite_master WHERE name = 'sessions') NOT LIKE '%check%'
    AND NOT EXISTS (
        SELECT 1 FROM pragma_table_xinfo('sessions')
        WHERE hidden <> 0 OR name = 'rowid' COLLATE NOCASE
    )
    FROM sessions WHERE rowid = ?
"""


class CostData(NamedTuple):
    """The cost data of a session as it stands there, and the number of its row.

    That is None where rows have none, and anything where a column of somebody's has its name.
    """

    text: bytes | None
    rowid: object


def find(database: sqlite3.Connection, session_id: str) -> CostData | None:
    """Answer the cost data of a session, None where there is no such session."""
    try:
        row = database.execute(_ROW, (session_id,)).fetchone()
    except sqlite3.OperationalError:  # a table WITHOUT ROWID; whatever else it was comes again
        row = database.execute(_ROW_WITHOUT_ROWID, (session_id,)).fetchone()
    return None if row is None else CostData(*row)


def replace(
    database: sqlite3.Connection, session_id: str, found: CostData, text: str, *, long: int
) -> None:
    """Store the text, of ASCII alone, for what was found in the same transaction.

    A history is long from `long` bytes on.
    """
    _forget_blobs(database)
    now = now_text()
    rowid = found.rowid
    if isinstance(rowid, int) and _length(database, rowid) >= long and _is_plain(database, rowid):
        text = _with_room(text, len(found.text or b""))
        if _has_written_over(database, rowid, text, now):
            return
    database.execute(_UPDATE, (text, now, session_id))


def _forget_blobs(database: sqlite3.Connection) -> None:
    """Take away what Python keeps of every blob that was opened, for as long as the connection.

    That is a weak reference, in a list that nothing but the collector of garbage leads to; of the
    cursors in another one Python itself takes it away.
    """
    for found in gc.get_referents(database):
        if type(found) is list and len(found) > _MOST_BLOBS:
            found[:] = [one for one in found if type(one) is not ref or one() is not None]


def _length(database: sqlite3.Connection, rowid: int) -> int:
    """Answer how many bytes of messages there are; to look at that reads none of them."""
    if not hasattr(database, "blobopen"):  # a driver in the place of Python's own
        return 0
    try:
        with database.blobopen("sessions", "messages", rowid, readonly=True) as messages:
            return len(messages)
    except sqlite3.OperationalError:  # NULL is messages too, and not open to this
        return 0


def _is_plain(database: sqlite3.Connection, rowid: int) -> bool:
    (is_plain,) = database.execute(_IS_PLAIN, (rowid,)).fetchone()
    return bool(is_plain)


def _with_room(text: str, there: int) -> str:
    """Answer the text with spaces: as long as what is there, if that is neither less nor much."""
    wanted = len(text) + max(_STEP // 4, len(text) // 8)
    room = -(-wanted // _STEP) * _STEP
    return text.ljust(there if len(text) <= there <= 2 * room else room)


def _has_written_over(database: sqlite3.Connection, rowid: int, text: str, now: str) -> bool:
    with (
        database.blobopen("sessions", "cost_data", rowid) as cost_data,
        database.blobopen("sessions", "updated_at", rowid) as updated_at,
    ):
        if (len(cost_data), len(updated_at)) != (len(text), len(now)):
            return False
        cost_data.write(text.encode())
        updated_at.write(now.encode())
    return True
