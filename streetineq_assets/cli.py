"""The command line: `streetineq demo | init | doctor | run | serve | clean | query | diff ...`.

Arguments, exit codes and what is printed. Exit codes: 0 done, 1 failed with one clear message,
2 wrong usage.
"""

import contextlib
import json
import os
import shlex
from collections.abc import Generator
from pathlib import Path
from typing import Annotated

import typer

from streetineq_assets.area_vintages import VINTAGES, Vintage
from streetineq_assets.command_line import Root, one_message
from streetineq_assets.errors import StreetineqError
from streetineq_assets.model_commands import model
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_assets.study_template import (
    ensure_instance,
    environment,
    workspace_file,
    write_study_template,
)

app = typer.Typer(
    help="Inequality measured from street images.", no_args_is_help=True, add_completion=False
)
app.add_typer(model, name="model")
Workspace = Annotated[
    Path | None,
    typer.Option(help="Names the code server; by default it starts one.", dir_okay=False),
]


@app.command()
def demo(
    root: Root = Path("data/demo"),
    weights: Annotated[
        Path | None,
        typer.Option(
            help="A network's real weights, in the place of random ones: a whole network that "
            "Keras saved (.keras), or Keras's weights of VGG16 (.h5).",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    layer: Annotated[
        str, typer.Option(help="Of a .keras file, the layer whose output is the code.")
    ] = "features",
) -> None:
    """Write a small synthetic study, run every asset on it, and say where the report is."""
    from streetineq_assets.demo.real_weights import RealWeights
    from streetineq_assets.demo.run import run_demo

    with one_message():
        run_demo(root, typer.echo, RealWeights.of(weights, layer) if weights else None)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    areas: Annotated[
        Vintage, typer.Option(help="lsoa11 is the paper's study; lsoa21 one of today.")
    ] = "lsoa11",
) -> None:
    """Write the paper's study: study.toml, a guide to the inputs, and empty input folders."""
    with one_message():
        write_study_template(folder, VINTAGES[areas])
    root = shlex.quote(str(folder))
    typer.echo(f"Study in {folder}. Next: put the official files into {folder / 'inputs'} as")
    typer.echo(f"{folder / 'README.md'} says, then `streetineq doctor --root {root}`.")


@app.command()
def doctor(
    root: Root = Path("data"),
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Say what is installed, which inputs are recognised, and what is missing."""
    from streetineq_assets.doctor import examine, report_lines

    with one_message():
        findings = examine(DataStore(root))
    typer.echo(json.dumps(findings, indent=2) if as_json else "\n".join(report_lines(findings)))


@app.command()
def run(
    root: Root = Path("data"),
    city: Annotated[
        str | None, typer.Option(help="Only this city; labels and report are always made.")
    ] = None,
    allow_loss: Annotated[
        bool,
        typer.Option(
            "--allow-loss",
            help="Let results be replaced by far smaller ones, such as after inputs were removed.",
        ),
    ] = False,
) -> None:
    """Bring a whole study up to date, from official files to the report, without the UI.

    What is unchanged is skipped, so a run that failed or was stopped is resumed by starting it
    again.
    """
    from streetineq_assets.run import run_study

    with one_message():
        store = DataStore(root)
        for line in run_study(store, typer.echo, city, allow_loss=allow_loss):
            typer.echo(f"warning: {line}")
        typer.echo(f"report     {store.open('inequality_report').file('report.html')}")
        typer.echo(f"pack       {store.open('evidence_pack').folder}")


@app.command()
def serve(
    root: Root = Path("data"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
    postgres: Annotated[
        bool,
        typer.Option("--postgres", help="Keep runs in a Postgres of this study, to try it out."),
    ] = False,
) -> None:
    """Open the Dagster UI on a study; Ctrl-C ends it."""
    from streetineq_assets.daemon import require_no_daemon
    from streetineq_assets.guard import allowed_hosts
    from streetineq_assets.reports import warehouse
    from streetineq_assets.run import clean_up
    from streetineq_assets.serving import (
        LONG_ANSWERS,
        own_postgres,
        require_free,
        run_services,
        services,
    )

    with one_message(), contextlib.ExitStack() as stack:
        store = DataStore(root)
        load_study(store.study_file)
        allowed_hosts()
        require_free(port)
        if postgres:
            stack.enter_context(own_postgres(store))
        ensure_instance(store)
        require_no_daemon(store)
        clean_up(store, typer.echo)
        if caution := warehouse.caution(store):
            typer.echo(f"warning: {caution}", err=True)
        typer.echo(f"Dagster on http://127.0.0.1:{port} for the study in {store.root}")
        with services(store.root, port) as wanted:
            code = run_services(wanted, LONG_ANSWERS | environment(store))
        if code:
            raise StreetineqError(f"Dagster ended with exit code {code}: see its messages above")


@app.command()
def webserver(
    root: Root = Path("data"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 3000,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Show everything, launch nothing.")
    ] = False,
    workspace: Workspace = None,
) -> None:
    """Serve the Dagster UI alone, as `serve` does, where a service of its own runs the daemon."""
    from streetineq_assets.webserver import serve_ui

    with _service(root) as (_, own):
        serve_ui(workspace or own, host, port, read_only=read_only)


@app.command()
def daemon(
    root: Root = Path("data"),
    workspace: Workspace = None,
) -> None:
    """Run Dagster's daemon alone, as `serve` does: schedules, sensors, back-fills and the queue."""
    from streetineq_assets.daemon import run_daemon

    with _service(root) as (store, own):
        run_daemon(store, workspace or own)


@app.command()
def deploy(
    folder: Annotated[Path, typer.Argument(help="Where the files go.", file_okay=False)],
    *,
    root: Root = Path("data"),
    name: Annotated[str, typer.Option(help="Of units, image and database.")] = "streetineq",
    host: Annotated[str, typer.Option(help="DNS name of the proxy.")] = "localhost",
    port: Annotated[
        int, typer.Option(min=1, max=65534, help="On 127.0.0.1; the next one is for readers.")
    ] = 3000,
    user: Annotated[
        str | None, typer.Option(help="Account of the services; by default the study's owner.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there, but the secrets.")
    ] = False,
) -> None:
    """Write systemd units, a compose file and nginx's settings, to serve a study to a team."""
    from streetineq_assets.deployment import Services, write_services

    with one_message():
        services = Services(name=name, host=host, port=port, user=user)
        for line in write_services(DataStore(root), folder, services, force=force):
            typer.echo(line)


@app.command()
def clean(
    root: Root = Path("data"),
    yes: Annotated[bool, typer.Option("--yes", help="Remove what is listed.")] = False,
) -> None:
    """List what the study no longer needs: results of what left it, and litter of killed runs."""
    from streetineq_assets.cleaning import examine_leftovers, lines, remove_unneeded
    from streetineq_assets.run import nothing_running

    with one_message():
        store = DataStore(root)
        study = load_study(store.study_file)
        with nothing_running(store) if yes else contextlib.nullcontext():
            found, kept = examine_leftovers(store, study)
            for line in lines(found, kept):
                typer.echo(line)
            if yes:
                remove_unneeded(store, found)
        if found:
            typer.echo("removed" if yes else "nothing was removed: `--yes` removes what is listed")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="DuckDB's SQL, such as 'SHOW TABLES'.")],
    root: Root = Path("data"),
    csv: Annotated[
        Path | None, typer.Option(help="Write all rows to this file instead.", dir_okay=False)
    ] = None,
) -> None:
    """Ask the warehouse, and print the table that answers. Nothing is changed."""
    from streetineq_assets.reports.query import answer, save_answer

    with one_message():
        if csv is None:
            typer.echo(answer(DataStore(root), sql))
        else:
            typer.echo(f"{save_answer(DataStore(root), sql, csv)} rows in {csv}")


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(help="A study's folder, or that of an evidence pack.")],
    b: Annotated[Path, typer.Argument(help="Another, or an earlier generation.")],
    html: Annotated[
        Path | None, typer.Option(help="Write a page with tables too.", dir_okay=False)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write all areas that differ too.", dir_okay=False)
    ] = None,
) -> None:
    """Say which areas moved from A to B, and what differs in inputs, settings and code.

    Nothing is changed, and differences are no failure.
    """
    from streetineq_assets.reports.differences.answer import answer

    with one_message():
        for line in answer(a, b, html, csv):
            typer.echo(line)


@app.command()
def captures(
    city: Annotated[str, typer.Argument(help="Whose pictures: a city of study.toml.")],
    root: Root = Path("data"),
) -> None:
    """List a city's panoramas and photographs by what their cameras wrote into them.

    Position, direction and time go to inputs/captures/<city>.csv, of which the next run makes the
    views of locations. A list that is there is never overwritten.
    """
    from streetineq_assets.images.capture_search import write_capture_list

    with one_message():
        store = DataStore(root)
        for line in write_capture_list(store, load_study(store.study_file), city):
            typer.echo(line)


@app.command()
def replay(
    city: Annotated[str, typer.Argument(help="Whose images were acquired: a city of study.toml.")],
    root: Root = Path("data"),
) -> None:
    """Make a city's acquired images again from their recordings, without network, and compare."""
    from streetineq_assets.imagery.repeat import answer

    with one_message():
        store = DataStore(root)
        for line in answer(store, load_study(store.study_file), city):
            typer.echo(line)


@contextlib.contextmanager
def _service(root: Path) -> Generator[tuple[DataStore, Path]]:
    """A study that this process serves, its environment set, and a workspace file of its own."""
    with one_message(), workspace_file() as own:
        store = DataStore(root)
        load_study(store.study_file)
        ensure_instance(store)
        os.environ.update(environment(store))
        yield store, own


if __name__ == "__main__":
    app()
