"""What a backend can say that it can do."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore_contract.capabilities import (
    DEFAULT_CLAIMS,
    MEANINGS,
    PROFILES,
    Capability,
    UnknownCapabilityError,
    named,
    profile,
    profile_of,
)


def test_every_capability_has_a_meaning() -> None:
    """Each one is explained in a few words."""
    assert list(MEANINGS) == list(Capability)


def test_profiles_grow() -> None:
    """Each profile holds all that the one before it holds, and more."""
    for smaller, larger in itertools.pairwise(PROFILES.values()):
        assert smaller < larger


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_named_by_its_members(name: str) -> None:
    """Claiming the members of a profile is claiming the profile."""
    assert profile_of(profile(name)) == name


@given(st.frozensets(st.sampled_from(list(Capability))))
def test_the_profile_named_is_the_largest_claimed_whole(claims: frozenset[Capability]) -> None:
    """No profile is named that is not claimed whole, and none larger is."""
    name = profile_of(claims)
    larger = list(PROFILES.values())
    if name == "custom":
        assert claims
        larger.remove(frozenset())
    else:
        assert PROFILES[name] <= claims
        larger = larger[list(PROFILES).index(name) + 1 :]
    assert not any(members <= claims for members in larger)


def test_an_author_who_says_nothing_claims_what_most_stores_can() -> None:
    """The default is `durable` and `multi-process`."""
    assert profile("durable") | {Capability.MULTI_PROCESS} == DEFAULT_CLAIMS
    assert profile_of(DEFAULT_CLAIMS) == "durable"


def test_capabilities_are_found_by_name() -> None:
    """Names are those of the command line."""
    assert named(["cost-read", "shared"]) == {Capability.COST_READ, Capability.SHARED}
    assert named([]) == frozenset()


def test_unknown_names_are_refused_with_the_nearest() -> None:
    """A mistyped name is told with the one that was meant, or with all."""
    with pytest.raises(UnknownCapabilityError, match=r"'sharde'; did you mean shared\?"):
        named(["cost-read", "sharde"])
    with pytest.raises(UnknownCapabilityError, match=r"'fulll'; did you mean full\?"):
        profile("fulll")
    with pytest.raises(UnknownCapabilityError, match="there are ephemeral, remote, durable, full"):
        profile("xyz")
