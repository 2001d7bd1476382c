# /// script
# requires-python = ">=3.11"
# dependencies = ["roc-validator==0.13.0"]
# ///
"""Validates an RO-Crate by `roc-validator` without a network: run by `test_roc_validator`.

A script with a lock of its own (`uv lock --script`), since the validator wants an older `rich` than
the platform has. The one document that it would fetch, the context of RO-Crate 1.3, is given to
its cache first; then every connection is refused.

    uv run --script --locked validate_crate.py FOLDER CONTEXT CACHE
"""

import io
import json
import socket
import sys
from pathlib import Path

import requests
from rocrate_validator import services
from rocrate_validator.models import ValidationSettings
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/1.3/context"
PROFILE = "ro-crate-1.3"


def refuse(*_, **__):
    raise OSError("this test has no network")


def answer(content: bytes) -> requests.Response:
    """What the address of the context would have answered."""
    found = requests.Response()
    found.request = requests.Request("GET", CONTEXT).prepare()
    found.url, found.status_code, found._content = CONTEXT, 200, content
    found.headers["Content-Type"] = "application/ld+json"
    found.raw = requests.packages.urllib3.HTTPResponse(
        body=io.BytesIO(content), headers=found.headers, status=200, preload_content=False
    )
    return found


def main(folder: str, context: str, cache: str) -> None:
    """Print what was asked and found, as JSON."""
    socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
    settings = ValidationSettings(
        rocrate_uri=folder,
        profile_identifier=PROFILE,
        requirement_severity="REQUIRED",
        cache_path=Path(cache),
        offline=True,
    )
    HttpRequester().session.cache.save_response(answer(Path(context).read_bytes()))
    result = services.validate(settings)
    issues = [f"{each.check.identifier}: {each.message}" for each in result.get_issues()]
    found = {"passed": result.passed(), "issues": issues, "checks": len(result.executed_checks)}
    print(json.dumps(found | {"profile": settings.profile_identifier}))  # noqa: T201


main(*sys.argv[1:])
