"""The command that tries the contract of a platform at a URL."""

from __future__ import annotations

import os
from typing import Any, NoReturn

import click

from .. import catalogue
from ..effort import EFFORTS
from .baseline_options import BASELINE
from .clauses import selected
from .options import EFFORT, SEED, Refusal, split
from .report_options import carry_out, of_a_report

TOKEN_HELP = "The environment variable that holds the bearer token."  # noqa: S105


@click.command()
@click.argument("url", metavar="URL")
@click.option("--token-env", metavar="NAME", help=TOKEN_HELP)
@click.option(
    "--reader-token-env",
    metavar="NAME",
    help="The same for a token with the right to read and no other.",
)
@click.option(
    "--with",
    "adding",
    multiple=True,
    metavar="CAPABILITY",
    callback=split,
    help="What the platform claims: cost-read, retention, auth.",
)
@click.option(
    "--body-limit", type=click.IntRange(1), metavar="BYTES", help="The largest body that it takes."
)
@click.option(
    "--disposable/--not-disposable",
    default=None,
    help="It holds nothing that anybody needs: with retention, idle sessions of anybody are "
    "removed. [default: on a loopback address]",
)
@click.option("--clause", "globs", multiple=True, metavar="GLOB", help="Try these clauses only.")
@click.option("--strict", is_flag=True, help="SHOULD clauses decide as well.")
@EFFORT
@click.option("--seed", type=click.IntRange(0), metavar="N", help=SEED)
@of_a_report
@BASELINE
def wire(**given: Any) -> NoReturn:
    """Try the contract of a platform on the service at URL, in whatever language it is written.

    URL is what stands before /v1/sessions. Only sessions with fresh ids are made, and removed in
    the end; with retention on a disposable platform, every idle session is removed.

    Exit code: 0 conformant; 1 not; 2 the command was wrong; 3 could not be found out.
    """
    carry_out(_run(given), given)


def _run(given: dict[str, Any]) -> Any:
    from ..wire.platform import Platform, PlatformError  # noqa: PLC0415
    from ..wire_runs import WireRun  # noqa: PLC0415

    clauses = selected(given["globs"], contract=catalogue.WIRE)
    try:
        platform = Platform(
            given["url"],
            url=given["url"].rstrip("/"),
            token=_secret(given["token_env"]),
            token_name=given["token_env"] or "TOKEN",
            reader_token=_secret(given["reader_token_env"]),
            reader_token_name=given["reader_token_env"] or "READER_TOKEN",
            adding=given["adding"],
            body_limit=given["body_limit"],
            disposable=given["disposable"],
        )
    except PlatformError as error:
        raise Refusal(str(error)) from None
    return WireRun(
        platform,
        clauses=clauses,
        seed=given["seed"],
        effort=EFFORTS[given["effort"]],
        is_strict=given["strict"],
    )


def _secret(name: str | None) -> str | None:
    if name is None:
        return None
    if name not in os.environ:
        raise Refusal(f"the environment has no variable {name}")
    return os.environ[name]
