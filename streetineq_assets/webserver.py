"""Dagster's web server behind the guard: `streetineq webserver`."""

from pathlib import Path

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.cli import (
    DEFAULT_DB_STATEMENT_TIMEOUT,
    DEFAULT_POOL_MAX_OVERFLOW,
    DEFAULT_POOL_RECYCLE,
)

from streetineq_assets.guard import Guard, allowed_hosts


def serve_ui(workspace: Path, host: str, port: int, *, read_only: bool = False) -> None:
    """Serve the UI of the instance that `DAGSTER_HOME` names, until the process is asked to end.

    Args:
        workspace: names the code location.
        host: address to listen on.
        read_only: show everything, and launch nothing.
    """
    hosts = allowed_hosts()
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(
            DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW
        )
        with WorkspaceProcessContext(
            instance,
            WorkspaceFileTarget([str(workspace)]),
            version=dg.__version__,
            read_only=read_only,
        ) as process:
            ui = create_app_from_workspace_process_context(process)
            uvicorn.run(Guard(ui, hosts), host=host, port=port, log_level="warning")
