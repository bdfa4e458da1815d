"""Options that commands have in common, and how a mistake in one is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..capabilities import PROFILES, UnknownCapabilityError, named
from ..effort import EFFORTS
from ..names import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

WRONG = 2
"""Exit code when the command was wrong."""


SEED = "Draw the same values as a run that printed this seed."
WITH = "What is claimed beyond the profile; several times, or with commas."
WITHOUT = "What of the profile is not claimed."

EFFORT = click.option(
    "--effort",
    type=click.Choice(list(EFFORTS)),
    default="normal",
    show_default=True,
    help="How much a clause tries.",
)

DURATIONS = click.option(
    "--durations",
    type=click.IntRange(0),
    metavar="N",
    help="Say which N clauses took longest, and how long; with 0 of all.",
)

MOST_WORKERS = 4
"""Workers that are taken by themselves: more wait for one storage."""


class Refusal(click.ClickException):
    """A user's mistake, told in one line."""

    exit_code = WRONG


def split(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for part in given for name in part.split(",") if name)


def _workers() -> int:
    # Clauses wait, for time-outs and for servers, and that core is free meanwhile. Of a machine
    # with many, a container may have been given a few.
    given = getattr(os, "sched_getaffinity", None)
    cores = len(given(0)) if given else os.cpu_count() or 1
    return min(cores + 1, MOST_WORKERS)


def on_a_target(command: F) -> F:
    """Add the options that say what is tried, and how, wherever a TARGET is."""
    for option in (
        click.option(
            "-n",
            "workers",
            type=click.IntRange(1),
            default=_workers,
            metavar="WORKERS",
            help="Processes that try clauses; from 2 on one more for those that wait. "
            f"[default: one more than there are cores, at most {MOST_WORKERS}]",
        ),
        click.option("--seed", type=click.IntRange(0), metavar="N", help=SEED),
        click.option(
            "--postgres",
            default="auto",
            metavar="auto|embedded|container[:IMAGE]|DSN",
            help="auto: the DSN in SESSIONSTORE_POSTGRES_DSN, else an embedded server, else a "
            "container. [default: auto]",
        ),
        click.option(
            "--without", multiple=True, metavar="CAPABILITY", callback=split, help=WITHOUT
        ),
        click.option(
            "--with", "adding", multiple=True, metavar="CAPABILITY", callback=split, help=WITH
        ),
        click.option("--profile", metavar="NAME", help=f"What is claimed: {', '.join(PROFILES)}."),
        click.option(
            "--storage",
            metavar="STORAGE",
            help="For a callable: file, postgres, platform, none, or a PLACE, which is used as it "
            "is and emptied. [default: file]",
        ),
    ):
        command = option(command)
    return command


def require_known(given: dict[str, Any], targets: tuple[str, ...]) -> None:
    """Refuse what is misspelt, before anything is tried."""
    from ..backend import installed, unknown  # noqa: PLC0415
    from ..storage import StorageUnavailableError  # noqa: PLC0415
    from ..storage.selection import require_known as require_known_server  # noqa: PLC0415

    try:
        named(given["adding"])
        named(given["without"])
        require_known_server(given.get("postgres", "auto"))
    except (UnknownCapabilityError, StorageUnavailableError) as error:
        raise Refusal(str(error)) from None
    if given["profile"] is not None and given["profile"] not in PROFILES:
        raise Refusal(f"no profile {given['profile']!r}{nearest(given['profile'], PROFILES)}")
    for target in targets:
        if ":" not in target and target not in installed():
            raise Refusal(str(unknown(target)))
