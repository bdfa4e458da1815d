"""What a backend can say that it can do, and the named sets of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from .names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable


class Capability(StrEnum):
    """Something that a backend says it can do; declared, never sniffed."""

    PERSISTENCE = "persistence"
    COST_READ = "cost-read"
    RETENTION = "retention"
    SHARED = "shared"
    MULTI_PROCESS = "multi-process"
    DURABLE = "durable"
    POWER_LOSS = "power-loss"
    FILES = "files"
    MIGRATION = "migration"
    REFERENCE_LAYOUT = "reference-layout"
    FAULTS = "faults"
    CENSUS = "census"
    MANAGED = "managed"
    SECRETS = "secrets"
    CORRUPTION = "corruption"
    AUTH = "auth"


MEANINGS = {
    Capability.PERSISTENCE: "what was stored can be read again",
    Capability.COST_READ: "get_cost_data reads what update wrote",
    Capability.RETENTION: "delete_before removes idle sessions",
    Capability.SHARED: "several instances on one place see each other",
    Capability.MULTI_PROCESS: "several processes on one place see each other",
    Capability.DURABLE: "what was acknowledged outlives the instance and its process",
    Capability.POWER_LOSS: "what was acknowledged is on the disk when the power fails",
    Capability.FILES: "what is stored is in files that the store itself writes",
    Capability.MIGRATION: "a place of an earlier release is opened and brought up to date",
    Capability.REFERENCE_LAYOUT: "sessions are in the table that the kit knows, and may look into",
    Capability.FAULTS: "the place has a server that the kit can stand in front of",
    Capability.CENSUS: "what a store holds can be counted: threads, processes, files, connections",
    Capability.MANAGED: "a connection, client or pool can be lent by the caller",
    Capability.SECRETS: "the place carries a password or token",
    Capability.CORRUPTION: "the backend lends a way to damage what is stored",
    Capability.AUTH: "the service asks for a bearer token",
}

_REMOTE = {Capability.PERSISTENCE, Capability.SHARED}
_DURABLE = _REMOTE | {Capability.COST_READ, Capability.RETENTION, Capability.DURABLE}
_FULL = _DURABLE | {
    Capability.MULTI_PROCESS,
    Capability.MIGRATION,
    Capability.FAULTS,
    Capability.CENSUS,
    Capability.SECRETS,
}

PROFILES: dict[str, frozenset[Capability]] = {
    "ephemeral": frozenset(),
    "remote": frozenset(_REMOTE),
    "durable": frozenset(_DURABLE),
    "full": frozenset(_FULL),
}
"""Named sets of capabilities, from the smallest to the largest."""

DEFAULT_CLAIMS = PROFILES["durable"] | {Capability.MULTI_PROCESS}
"""What a store claims whose author said nothing."""


def profile_of(claims: Iterable[Capability]) -> str:
    """Name the largest profile that is claimed whole; `custom` when none but the empty one is."""
    claimed = frozenset(claims)
    if not claimed:
        return "ephemeral"
    whole = [name for name, members in PROFILES.items() if members and members <= claimed]
    return whole[-1] if whole else "custom"


class UnknownCapabilityError(ValueError):
    """A capability or profile of that name does not exist."""


def named(names: Iterable[str]) -> frozenset[Capability]:
    """Find capabilities by name.

    Raises:
        UnknownCapabilityError: names the unknown one and the nearest that exist.
    """
    found = set()
    for name in names:
        if name not in {str(capability) for capability in Capability}:
            raise UnknownCapabilityError(f"no capability {name!r}{nearest(name, Capability)}")
        found.add(Capability(name))
    return frozenset(found)


def profile(name: str) -> frozenset[Capability]:
    """Find a profile by name.

    Raises:
        UnknownCapabilityError: names the unknown one and the nearest that exist.
    """
    if name not in PROFILES:
        raise UnknownCapabilityError(f"no profile {name!r}{nearest(name, PROFILES)}")
    return PROFILES[name]
