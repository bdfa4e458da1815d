"""The command that serves the reference platform on a port."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from .options import Refusal


@click.command()
@click.option(
    "--store",
    required=True,
    metavar="URL",
    help="sqlite:///path (sqlite:////path from the root), postgres://user:password@host/database, "
    "or memory.",
)
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="0: one that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--workers", type=click.IntRange(1), default=1, metavar="N", help="Processes.")
@click.option(
    "--token-env",
    metavar="NAME",
    help="The environment variable with the bearer token that is asked for.",
)
@click.option(
    "--reader-token-env", metavar="NAME", help="The same for a token with the right to read alone."
)
@click.option("--body-limit", type=click.IntRange(1), metavar="BYTES", help="[default: 8 MiB]")
def serve(**given: Any) -> NoReturn:
    """Serve the reference platform over a store, until SIGTERM or SIGINT.

    It says on standard output where it listens. Asked to stop, it takes no more requests, and
    answers those under way, which are given 30 seconds.
    """
    from ..serving import Serving, ServingError  # noqa: PLC0415 - `--help` must not wait for it
    from ..serving import serve as run  # noqa: PLC0415

    try:
        code = run(Serving(**given), click.echo)
    except ServingError as error:
        raise Refusal(str(error)) from None
    sys.exit(code)
