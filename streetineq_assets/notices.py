"""Notices of what went wrong, and of what changed in a week: written, told and mailed.

Each is a line of `notices.log` beside the study's Dagster instance, which needs no settings. Where
the environment names a webhook or a mail server, it is sent there too. Their addresses carry
secrets, so that study.toml has only who is to be written to, and no message here names more of
them than the host.
"""

import datetime as dt
import http.client
import json
import os
import smtplib
import socket
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from email.message import EmailMessage
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from streetineq_assets.errors import StreetineqError
from streetineq_assets.settings import Notices
from streetineq_assets.stages import STAGES
from streetineq_assets.store import DataStore

LOG_FILE = "notices.log"
WEBHOOK, SMTP = "STREETINEQ_WEBHOOK_URL", "STREETINEQ_SMTP_URL"
TIMEOUT_S = 10.0
_MOST_NAMED = 3
_PORTS = {"smtp": smtplib.SMTP_PORT, "smtps": smtplib.SMTP_SSL_PORT}


class NoticeError(StreetineqError):
    """A notice could not be sent: the message names where to, and why."""


class Notice(NamedTuple):
    """What is told.

    Attributes:
        subject: what it is about, such as `image_codes[london/003]`.
        text: one sentence, or a line each.
    """

    subject: str
    text: str

    @property
    def line(self) -> str:
        """All on one line."""
        return f"{self.subject}: {'; '.join(self.text.splitlines())}"


def failure(label: str, reason: str, run_id: str) -> Notice:
    """What failed, why, and what to do.

    Args:
        label: of the artefact, or of the run.
        reason: what the step said; an error of ours says what to do, in one sentence.
    """
    first = next((line.strip() for line in reason.splitlines() if line.strip()), "no reason given")
    return Notice(f"{label} failed", f"{first} (run {run_id})")


def publish(notice: Notice, store: DataStore, settings: Notices) -> list[str]:
    """Write a notice to the study's log, and send it where it is to go.

    Returns:
        Why it could not be sent, for each place where it should have gone; the log has these too.
    """
    lines = [notice.line]
    for send in (_call, _mail):
        try:
            send(notice, settings)
        except NoticeError as error:
            lines.append(f"not sent: {error}")
    now = dt.datetime.now(dt.UTC)
    store.dagster_home.mkdir(parents=True, exist_ok=True)
    with (store.dagster_home / LOG_FILE).open("a", encoding="utf-8") as log:
        log.writelines(f"{now:%Y-%m-%d %H:%M} UTC  {line}\n" for line in lines)
    return lines[1:]


def digest(store: DataStore, since: dt.datetime, now: dt.datetime) -> Notice:
    """What was made anew since a moment, by asset, and how much stayed."""
    made: dict[str, list[str]] = defaultdict(list)
    n_kept = 0
    for asset in (asset for stage in STAGES for asset in stage.assets):
        for manifest in store.manifests(asset):
            if manifest.published_at < since:
                n_kept += 1
            else:
                made[asset].append(str(manifest.partition or ""))
    n_made = sum(map(len, made.values()))
    lines = [f"{n_made} results were made anew, {n_kept} are as they were", *_by_asset(made)]
    return Notice(f"week to {now:%d %B %Y}", "\n".join(lines))


def _by_asset(made: dict[str, list[str]]) -> Iterator[str]:
    for asset, keys in made.items():
        named = ", ".join(keys[:_MOST_NAMED])
        more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
        yield f"{asset} of {named}{more}" if named else asset


# -- where they go ---------------------------------------------------------------------------------


def _call(notice: Notice, _: Notices) -> None:
    """Send `{"text": ...}` to a webhook, as Slack, Mattermost and Teams take it."""
    address = os.environ.get(WEBHOOK)
    if not address:
        return
    url = _read_url(address, WEBHOOK, {"https": 443, "http": 80})
    request = urllib.request.Request(  # noqa: S310 - the scheme is one of the two
        address,
        data=json.dumps({"text": f"{notice.subject}: {notice.text}"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return
    except (OSError, http.client.HTTPException) as error:
        raise NoticeError(_no_answer(f"the webhook at {url.hostname}", error)) from error


def _mail(notice: Notice, settings: Notices) -> None:
    if not settings.email_to:
        return
    address = os.environ.get(SMTP)
    if not address:
        raise NoticeError(
            f"email_to under [notices] in study.toml names {settings.email_to[0]}, and no mail "
            f"server is known: set {SMTP} to smtp://user:password@host:port"
        )
    url = _read_url(address, SMTP, _PORTS)
    message = EmailMessage()
    message["Subject"] = f"streetineq: {notice.subject}"
    message["From"] = settings.email_from or f"streetineq@{socket.getfqdn()}"
    message["To"] = ", ".join(settings.email_to)
    message.set_content(notice.text)
    try:
        _send(message, url)
    except (OSError, smtplib.SMTPException) as error:
        raise NoticeError(_no_answer(f"the mail server {url.hostname}", error)) from error


def _send(message: EmailMessage, url: SplitResult) -> None:
    """Encrypted from the start by `smtps`, else once connected where the server offers it."""
    kind = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with kind(url.hostname or "", url.port or _PORTS[url.scheme], timeout=TIMEOUT_S) as server:
        server.ehlo()
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls()
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)


def _read_url(address: str, variable: str, ports: dict[str, int]) -> SplitResult:
    try:
        url = urlsplit(address)
        known = url.scheme in ports and url.hostname and (url.port or ports[url.scheme])
    except ValueError:  # a port that is none
        known = False
    if not known:
        raise NoticeError(f"{variable} is no address of the form {min(ports)}://host:port")
    return url


def _no_answer(where: str, error: Exception) -> str:
    code = getattr(error, "code", None)
    reason = f"HTTP {code}" if code else getattr(error, "reason", None) or error
    return f"{where} did not take it ({str(reason) or type(error).__name__})"
