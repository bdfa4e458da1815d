"""The clauses of a platform: the REST service, in whatever language, behind a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    access,
    costs,
    histories,
    housekeeping,
    identity,
    kept,
    leaving,
    races,
    refusals,
    sessions,
    traffic,
)

if TYPE_CHECKING:
    from ..clause import Clause

CLAUSES: tuple[Clause, ...] = (
    sessions.create,
    sessions.create_taken,
    histories.get,
    sessions.put_is_upsert,
    costs.patch_merges,
    costs.cost_data_is_readable,
    sessions.head,
    sessions.delete,
    refusals.bad_input_is_4xx,
    refusals.patch_needs_an_object,
    refusals.put_needs_messages,
    refusals.unknown_members_are_refused,
    refusals.non_finite_is_refused,
    identity.missing_session_is_not_a_missing_route,
    identity.ids_are_one_segment,
    access.auth,
    refusals.oversize,
    traffic.patch_is_small,
    traffic.concurrent_patches_all_survive,
    races.at_once_as_in_turn,
    kept.kept_connections_stay_in_step,
    leaving.a_client_that_leaves_breaks_nothing,
    housekeeping.delete_before,
)
"""Every clause, in contract order."""
