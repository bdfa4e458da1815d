"""Whether a report is what it says: the clauses of the contract, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import catalogue
from ..capabilities import Capability, profile_of
from ..catalogue import CONTRACTS
from ..effort import EFFORTS
from ..verdict import Verdict, conclude_from, count
from ..version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..clause import Clause
    from ..effort import Effort
    from .record import BackendRecord, Head, RunRecord, SubjectRecord


def problems(run: RunRecord) -> list[str]:
    """Say each thing in a report that is not so; nothing when it is what it says."""
    return list(_problems(run))


def _problems(run: RunRecord) -> Iterator[str]:
    wrong = wrong_contract(run.head)
    if wrong is not None:
        yield wrong
    if not run.backends:
        yield "no backend is in it"
    for backend in run.backends:
        told = list(_of_what_follows(backend))
        if wrong is None:
            contract = CONTRACTS[run.head.contract]
            claims = _of_claims(backend, contract, EFFORTS.get(run.head.effort))
            told = [*_of_clauses(backend, contract.clauses), *claims, *told]
        yield from (f"{backend.name}: {one}" for one in told)


def wrong_contract(head: Head) -> str | None:
    """Say why the clause set is not that of this kit; None when it is."""
    contract = CONTRACTS.get(head.contract)
    if contract is None:
        return f"its contract {head.contract} is none that kit {__version__} has"
    said = head.version, head.digest
    mine = contract.version, catalogue.digest(contract)
    if said == mine:
        return None
    return (
        f"its contract is version {said[0]}, {said[1]}, and that of kit {__version__} is version "
        f"{mine[0]}, {mine[1]}: a report of kit {head.kit} is verified by that kit"
    )


def wrong_profile(subject: SubjectRecord) -> str | None:
    """Say why a store's profile is not what it claims; None when it is."""
    unknown = [one for one in subject.capabilities if one not in set(Capability)]
    if unknown:
        return f"it claims {', '.join(unknown)}, which kit {__version__} does not know"
    profile = profile_of(map(Capability, subject.capabilities))
    if subject.profile == profile:
        return None
    return f"its profile is {subject.profile}, and what it claims amounts to {profile}"


def _of_clauses(backend: BackendRecord, clauses: tuple[Clause, ...]) -> Iterator[str]:
    said = backend.by_id
    known = {clause.id: clause for clause in clauses}
    for clause in clauses:
        if clause.id not in said:
            yield f"clause {clause.id} is missing"
        elif said[clause.id].level is not clause.level:
            levels = said[clause.id].level.upper(), clause.level.upper()
            yield f"clause {clause.id} is {levels[0]} in the report, and {levels[1]}"
    yield from (f"clause {one} is not in the contract" for one in said if one not in known)
    in_order = [one for one in known if one in said]
    for one, expected in zip((one for one in said if one in known), in_order, strict=True):
        if one != expected:
            yield f"the clauses are not in contract order: {one} stands where {expected} belongs"
            return


def _of_claims(
    backend: BackendRecord, contract: catalogue.Contract, effort: Effort | None
) -> Iterator[str]:
    """What is not applicable follows from claims and effort, and is no way to hide a violation."""
    names = backend.subject.capabilities
    unknown = [one for one in names if one not in contract.claims]
    if unknown:
        yield f"it claims {', '.join(unknown)}, which kit {__version__} does not know"
        return
    claims = frozenset(names)
    if contract is catalogue.STORE and (wrong := wrong_profile(backend.subject)) is not None:
        yield wrong
    for clause in contract.clauses:
        record = backend.by_id.get(clause.id)
        if record is None:
            continue
        inapplicable = clause.missing(claims, effort)
        if (record.verdict is Verdict.NOT_APPLICABLE) != (inapplicable is not None):
            so = f"it {inapplicable}" if inapplicable else "what it needs is claimed"
            yield f"clause {clause.id} is {record.verdict}, although {so}"


def _of_what_follows(backend: BackendRecord) -> Iterator[str]:
    """Recompute what is counted and concluded."""
    for clause in backend.clauses:
        if clause.verdict is Verdict.ADMITTED and not clause.reason:
            yield f"clause {clause.id} is admitted without a reason"
    counted = count(backend.clauses)
    for verdict, number in counted.items():
        if backend.counts[verdict] != number:
            yield f"it counts {backend.counts[verdict]} {verdict}, and {number} are"
    verdicts = ((one.level, one.verdict) for one in backend.clauses)
    concluded = conclude_from(verdicts, is_strict=backend.is_strict)
    if concluded is not backend.conclusion:
        yield f"its verdict is {backend.conclusion}, and {concluded} follows from its clauses"
