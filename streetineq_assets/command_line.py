"""What all commands of the command line share."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Annotated

import typer

from streetineq_assets.errors import StreetineqError

Root = Annotated[Path, typer.Option(help="The study's folder.", file_okay=False)]


@contextlib.contextmanager
def one_message() -> Generator[None]:
    """End with exit code 1 and one line where something is wrong that the user can mend."""
    try:
        yield
    except StreetineqError as error:
        typer.echo(f"streetineq: {error}", err=True)
        raise typer.Exit(1) from error
