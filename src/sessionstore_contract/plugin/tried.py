"""What a contract test tries and what it found, as text on the way between processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..clause import Clause


@dataclass(frozen=True)
class Tried:
    """What a contract test tries, and how: what a report says of it beside the findings."""

    name: str
    contract: str
    """The contract's name."""
    storage: str
    profile: str
    capabilities: tuple[str, ...]
    seed: int
    effort: str
    is_strict: bool
    server: str | None = None
    drivers: tuple[str, ...] = ()


def packed(finding: Finding, tried: Tried) -> str:
    """Word what was found as JSON in ASCII: whatever a store said, it comes through to the main."""
    return json.dumps({"finding": finding.packed(), "tried": asdict(tried)})


def unpacked(told: str, clauses: Mapping[str, Clause]) -> tuple[Finding, Tried]:
    """Read what came from a test, perhaps of another process."""
    said: dict[str, Any] = json.loads(told)
    tried, found = said["tried"], said["finding"]
    finding = Finding.unpacked(found, clauses[found["clause"]])
    several = {name: tuple(tried[name]) for name in ("capabilities", "drivers")}
    return finding, Tried(**{**tried, **several})
