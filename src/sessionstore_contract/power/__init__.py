"""What a disk may hold when the power has failed: computed from what a process did to files."""

from .disk import POLICIES, Disk, lay_out
from .journal import Record
from .recording import NotRecordedError, Recording, compiler

__all__ = [
    "POLICIES",
    "Disk",
    "NotRecordedError",
    "Record",
    "Recording",
    "compiler",
    "lay_out",
]
