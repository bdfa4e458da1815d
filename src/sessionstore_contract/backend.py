"""What an author hands over, and finding it by name."""

from __future__ import annotations

import difflib
import math
from dataclasses import KW_ONLY, dataclass, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal

from . import names
from .address import NoAddressError, servers_of
from .capabilities import DEFAULT_CLAIMS, Capability, UnknownCapabilityError, named, profile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from contextlib import AbstractAsyncContextManager

    from .old_layout import OldSession
    from .storage import Storage

STORAGES = ("file", "postgres", "platform", "none")
"""The storages that the kit provides."""

STORAGE_MEMBERS = ("name", "fresh", "server", "close")
"""What a storage of an author's own has."""

NAMED_PLACE = "place"
"""What a storage is called that is one place, named by the caller."""

GROUP = "sessionstore_contract.backends"
"""The entry point group of installed backends."""

DEFAULT_TIMEOUT = 10.0
"""Seconds for one call: twice what a driver's usual lock time-out takes."""


class BackendError(ValueError):
    """A backend that can't be tried as it was described; one line that says why."""


@dataclass(frozen=True)
class Lent:
    """A store on a connection, client or pool that somebody else holds, and a look at that."""

    store: Any
    """Opened on what is lent."""
    is_usable: Callable[[], bool | Awaitable[bool]]
    """Answers whether what was lent still works for whoever holds it."""
    begin: Callable[[], Any] | None = None
    """Begins work on what was lent, and leaves it uncommitted. May be a coroutine function."""
    is_pending: Callable[[], bool | Awaitable[bool]] | None = None
    """Answers whether that work is still neither committed nor rolled back."""


@dataclass(frozen=True)
class Backend:
    """A store to be tried: its name, how it is opened, on which storage, and what it claims.

    Without a profile a store claims `durable` and `multi-process`.
    """

    name: str
    _: KW_ONLY
    open: Callable[..., Any]
    """Called with a place, answers a store: a class, a function, a coroutine function, or a
    function that answers an async context manager. On storage `none` it is called with nothing."""
    storage: str | Storage = "file"
    """`file`, `postgres`, `platform`, `none`, a place, or a storage of the author's own."""
    profile: str | None = None
    """`ephemeral`, `remote`, `durable` or `full`."""
    adding: Collection[str] = ()
    """Capabilities claimed beyond the profile."""
    without: Collection[str] = ()
    """Capabilities of the profile that are not claimed."""
    corrupt: Callable[[str, str], Any] | None = None
    """Given a place and a session id, makes the stored cost data unreadable. May be a coroutine
    function. Who gives it claims `corruption`."""
    legacy: Literal["reference"] | Callable[[str, Sequence[OldSession]], Any] | None = None
    """What earlier releases left behind, which the store migrates; who gives it claims `migration`.

    `reference` is the table of the reference backends before cost data, on `file` and `postgres`;
    who names it claims `reference-layout`, too. A function is called with a fresh place and the
    sessions, and fills the place as an earlier release would have left it with them. It may be a
    coroutine function."""
    open_with_token: Callable[[str, str], Any] | None = None
    """Called with a place and a bearer token, answers a store as `open` does, for a store whose
    place carries no password. Who gives it claims `secrets`."""
    lend: Callable[[str], AbstractAsyncContextManager[Lent]] | None = None
    """Called with a place, answers an async context manager that gives a `Lent`: a store on what
    is held, and given back, here. Who gives it claims `managed`."""
    open_bounded: Callable[[str, float], Any] | None = None
    """Called with a place and a number of seconds, answers a store as `open` does whose operations
    take about so long at the most. It spares the wait for the store's own time-outs."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds that one call may take before it counts as hung; of several at once each may take as
    long as all of them do one after the other."""
    make_id: Callable[[], str] | None = None
    """Answers another session id each time, for a store that takes those of one form alone, such
    as UUIDs. Without it an ordinary id is of small letters, digits and dashes."""

    def __post_init__(self) -> None:
        self._demand_kinds()
        if self.capabilities and Capability.PERSISTENCE not in self.capabilities:
            raise BackendError(
                f"backend {self.name!r} claims {', '.join(sorted(self.capabilities))} without "
                "persistence: a store that keeps nothing claims nothing"
            )
        if Capability.CORRUPTION in self.capabilities and self.corrupt is None:
            raise BackendError(f"backend {self.name!r} claims corruption and gives no corrupt=")
        self._demand_old_places()
        if Capability.MANAGED in self.capabilities and self.lend is None:
            raise BackendError(f"backend {self.name!r} claims managed and gives no lend=")
        if Capability.FAULTS in self.capabilities:
            self._demand_an_address(Capability.FAULTS)
        if Capability.SECRETS in self.capabilities and self.open_with_token is None:
            self._demand_an_address(Capability.SECRETS)
            if self.storage_name == "platform":
                raise BackendError(
                    f"backend {self.name!r} claims secrets on storage platform, whose places carry "
                    "none, and gives no open_with_token="
                )

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What is claimed."""
        claimed = DEFAULT_CLAIMS if self.profile is None else profile(self.profile)
        lent = set()
        if self.corrupt is not None:
            lent.add(Capability.CORRUPTION)
        if self.legacy is not None:
            lent.add(Capability.MIGRATION)
        if self.open_with_token is not None:
            lent.add(Capability.SECRETS)
        if self.lend is not None:
            lent.add(Capability.MANAGED)
        claimed = claimed | lent | named(self.adding)
        if Capability.MIGRATION in claimed and not callable(self.legacy):
            claimed |= {Capability.REFERENCE_LAYOUT}
        if Capability.DURABLE in claimed and self.storage == "file":
            claimed |= {Capability.FILES}
        return claimed - named(self.without)

    @property
    def storage_name(self) -> str:
        """The storage's name."""
        if isinstance(self.storage, str):
            return self.storage if self.storage in STORAGES else NAMED_PLACE
        return self.storage.name

    def _demand_kinds(self) -> None:
        """Raise BackendError where something given is of no use, which would show much later."""
        names.refuse_name(self.name, BackendError)
        told = f"backend {self.name!r}"
        if not callable(self.open):
            raise BackendError(f"{told}: open={self.open!r} can't be called")
        for name in ("corrupt", "open_with_token", "lend", "open_bounded", "make_id"):
            given = getattr(self, name)
            if given is not None and not callable(given):
                raise BackendError(f"{told}: {name}={given!r} can't be called")
        if self.legacy not in {None, "reference"} and not callable(self.legacy):
            raise BackendError(
                f"{told}: legacy={self.legacy!r} can't be called, nor is 'reference'"
            )
        for name in ("adding", "without"):
            if isinstance(given := getattr(self, name), str):
                raise BackendError(f"{told}: {name}={given!r} is a text: make it [{given!r}]")
        is_number = type(self.timeout) in {int, float}
        if not is_number or not 0 < self.timeout < math.inf:
            raise BackendError(f"{told}: timeout={self.timeout!r} is no number of seconds above 0")
        self._demand_a_storage()

    def _demand_a_storage(self) -> None:
        if not isinstance(self.storage, str):
            missing = [one for one in STORAGE_MEMBERS if not hasattr(self.storage, one)]
            if missing:
                kind = type(self.storage).__name__
                raise BackendError(
                    f"backend {self.name!r}: storage={kind} is neither a text nor a storage: "
                    f"it has no {missing[0]}"
                )
            return
        near = difflib.get_close_matches(self.storage.lower(), STORAGES, n=1, cutoff=0.8)
        if not self.storage or (near and self.storage not in STORAGES):
            raise BackendError(
                f"backend {self.name!r}: no storage {self.storage!r}"
                f"{names.nearest(self.storage.lower(), STORAGES)} (a place is a path, such as "
                f"./{self.storage or 'sessions'}, a DSN or a URL)"
            )

    def _demand_old_places(self) -> None:
        """Raise BackendError where migration is claimed and no place can be made old."""
        claimed = self.capabilities
        makes_them = {"file", "postgres"}
        if callable(self.legacy) and Capability.REFERENCE_LAYOUT not in claimed:
            makes_them |= {self.storage_name} - {"none", NAMED_PLACE}
        about_old_places = {Capability.MIGRATION, Capability.REFERENCE_LAYOUT} & claimed
        if about_old_places and self.storage_name not in makes_them:
            raise BackendError(
                f"backend {self.name!r} claims {min(about_old_places)} on storage "
                f"{self.storage_name}: old places are made on file and postgres, or by a legacy= "
                "of your own on any storage of fresh places"
            )

    def _demand_an_address(self, claim: Capability) -> None:
        """Raise BackendError where it is known by now that no place has a server of its own."""
        if self.storage_name in {"file", "none"}:
            raise BackendError(
                f"backend {self.name!r} claims {claim} on storage {self.storage_name}: its places "
                "have no server; claim it on postgres, on platform, or at a DSN or URL"
            )
        if isinstance(self.storage, str) and self.storage_name == NAMED_PLACE:
            try:
                servers_of(self.storage)
            except NoAddressError as error:
                raise BackendError(f"backend {self.name!r} claims {claim}: {error}") from None


@dataclass(frozen=True)
class Claims:
    """What the command line says of a target's claims, and of the storage of a callable."""

    storage: str | None = None
    profile: str | None = None
    adding: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def options(self) -> list[str]:
        """Word them as the command line has them."""
        single = {"--storage": self.storage, "--profile": self.profile}
        several = {"--with": self.adding, "--without": self.without}
        given = [(name, value) for name, value in single.items() if value is not None]
        given += [(name, ",".join(values)) for name, values in several.items() if values]
        return [word for option in given for word in option]


def installed() -> list[str]:
    """Name the installed backends, without loading them."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def find_backend(target: str, claims: Claims) -> Backend:
    """Find a backend by name: an installed one, or `module:attribute`.

    Raises:
        BackendError: there is none, or it can't be tried as claimed; one line that says why.
    """
    try:
        found = _find(target)
        if isinstance(found, Backend):
            return _as_it_is(found, target, claims)
        if not callable(found):
            raise BackendError(
                f"{target!r} is {type(found).__name__}, neither a Backend nor callable"
            )
        return Backend(
            target.partition(":")[2],
            open=found,
            storage="file" if claims.storage is None else claims.storage,
            profile=claims.profile,
            adding=claims.adding,
            without=claims.without,
        )
    except (names.NotFoundError, UnknownCapabilityError) as error:
        raise BackendError(str(error)) from None


def _find(target: str) -> Any:
    if ":" in target:
        return names.find(target)
    for entry in entry_points(group=GROUP, name=target):
        return names.find(entry.value)
    raise unknown(target)


def unknown(target: str) -> BackendError:
    """Word that no backend of that name is installed, with the nearest that are."""
    return BackendError(
        f"no backend {target!r}{names.nearest(target, installed())} "
        "(a class of your own is module:attribute)"
    )


def _as_it_is(backend: Backend, target: str, claims: Claims) -> Backend:
    if claims.storage is not None:
        raise BackendError(
            f"{target!r} is a Backend and names its own storage ({backend.storage_name}): leave "
            "out --storage"
        )
    return replace(
        backend,
        profile=claims.profile or backend.profile,
        adding={*backend.adding, *claims.adding} - set(claims.without),
        without={*backend.without, *claims.without} - set(claims.adding),
    )
