"""Notices: one line in the log always, and what a webhook and a mail server get."""

import datetime as dt
import http.server
import json
import socketserver
import threading
from types import SimpleNamespace
from typing import ClassVar

import dagster as dg
import pandas as pd
import pytest
from pydantic import ValidationError

from streetineq_assets import notices
from streetineq_assets.automation import failures
from streetineq_assets.definitions import build_definitions
from streetineq_assets.instance_state import LAUNCHER
from streetineq_assets.notices import LOG_FILE, SMTP, WEBHOOK, Notice, digest, failure, publish
from streetineq_assets.resources import StudyResource
from streetineq_assets.run import QUIET
from streetineq_assets.settings import Notices
from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.test_study import MINIMAL, write

NOTICE = Notice("image_codes[alpha/000] failed", "7_a.jpg is cut: copy it again")
TO = Notices(email_to=("a@example.org", "b@example.org"))


@pytest.fixture
def store(tmp_path, monkeypatch):
    for variable in (WEBHOOK, SMTP):
        monkeypatch.delenv(variable, raising=False)
    write(tmp_path, MINIMAL)
    return DataStore(tmp_path)


@pytest.fixture
def receiver():
    """A webhook on a free port; what it got, and the status that it answers."""

    class Receiver(http.server.BaseHTTPRequestHandler):
        got: ClassVar[list[dict]] = []
        status = 200

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.got.append(json.loads(body))
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Receiver, server.server_port
        server.shutdown()


@pytest.fixture
def mail_server():
    """A server that takes mail without encryption; each message as it came."""

    class Conversation(socketserver.StreamRequestHandler):
        got: ClassVar[list[str]] = []

        def handle(self):
            self.wfile.write(b"220 here\r\n")
            in_data, lines = False, []
            for raw in self.rfile:
                line = raw.decode().rstrip("\r\n")
                if in_data:
                    if line == ".":
                        self.got.append("\n".join(lines))
                        in_data = False
                        self.wfile.write(b"250 taken\r\n")
                    else:
                        lines.append(line)
                elif line.upper() == "DATA":
                    in_data = True
                    self.wfile.write(b"354 go on\r\n")
                else:
                    self.wfile.write(b"250 well\r\n" if line.upper() != "QUIT" else b"221 bye\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Conversation.got, server.server_address[1]
        server.shutdown()


def log_lines(store):
    return (store.dagster_home / LOG_FILE).read_text(encoding="utf-8").splitlines()


def test_a_notice_is_a_line_of_the_log_without_any_setting(store):
    assert publish(NOTICE, store, Notices()) == []
    publish(Notice("week to 1 December 2026", "nothing\nat all"), store, Notices())
    first, second = log_lines(store)
    assert first.endswith("UTC  image_codes[alpha/000] failed: 7_a.jpg is cut: copy it again")
    assert second.endswith("week to 1 December 2026: nothing; at all")


def test_a_webhook_gets_the_text(store, receiver, monkeypatch):
    handler, port = receiver
    monkeypatch.setenv(WEBHOOK, f"http://127.0.0.1:{port}/secret-token")
    assert publish(NOTICE, store, Notices()) == []
    assert handler.got == [{"text": f"{NOTICE.subject}: {NOTICE.text}"}]


def test_an_e_mail_goes_to_all(store, mail_server, monkeypatch):
    got, port = mail_server
    monkeypatch.setenv(SMTP, f"smtp://127.0.0.1:{port}")
    assert publish(NOTICE, store, TO) == []
    (message,) = got
    assert "Subject: streetineq: image_codes[alpha/000] failed" in message
    assert "To: a@example.org, b@example.org" in message
    assert "7_a.jpg is cut" in message


@pytest.mark.parametrize("status", [404, 500])
def test_a_webhook_that_refuses_is_named_by_its_host_alone(store, receiver, monkeypatch, status):
    handler, port = receiver
    handler.status = status
    monkeypatch.setenv(WEBHOOK, f"http://127.0.0.1:{port}/secret-token")
    (problem,) = publish(NOTICE, store, Notices())
    assert "webhook at 127.0.0.1" in problem
    assert str(status) in problem
    assert [NOTICE.text in log_lines(store)[0], problem in log_lines(store)[1]] == [True, True]
    assert not [line for line in log_lines(store) if "secret-token" in line]


def test_a_webhook_that_does_not_answer_is_given_up(store, monkeypatch):
    monkeypatch.setattr(notices, "TIMEOUT_S", 0.2)
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        monkeypatch.setenv(WEBHOOK, f"http://127.0.0.1:{silent.server_address[1]}/secret-token")
        (problem,) = publish(NOTICE, store, Notices())
    assert "timed out" in problem
    assert len(log_lines(store)) == 2


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        (WEBHOOK, "file:///etc/passwd"),
        (WEBHOOK, "https://"),
        (WEBHOOK, "http://host:port"),
        (SMTP, "mail.example.org"),
        (SMTP, "http://mail.example.org"),
    ],
)
def test_an_address_of_another_kind_is_refused(store, monkeypatch, variable, address):
    monkeypatch.setenv(variable, address)
    problems = publish(NOTICE, store, TO)
    assert [problem for problem in problems if variable in problem and "form" in problem]


def test_a_mail_server_is_asked_for_where_somebody_is_to_be_written_to(store):
    (problem,) = publish(NOTICE, store, TO)
    assert SMTP in problem
    assert "a@example.org" in problem


def test_a_mail_servers_password_is_in_no_message(store, monkeypatch):
    monkeypatch.setenv(SMTP, "smtp://me:pass-word@127.0.0.1:1")
    (problem,) = publish(NOTICE, store, TO)
    assert "127.0.0.1" in problem
    assert "pass-word" not in problem


@pytest.mark.parametrize("address", ["nobody", "a@b\nBcc: c@d", "a@b, c@d", "<a@b>"])
def test_addresses_are_one_each(address):
    with pytest.raises(ValidationError, match="no address of the form name@host"):
        Notices(email_to=(address,))


def test_a_failure_is_told_by_its_first_line():
    told = failure("lsoa_labels", "\n  File x is cut.\n\nStack Trace:", "3f2a")
    assert told == ("lsoa_labels failed", "File x is cut. (run 3f2a)")


def test_the_digest_names_what_was_made_within_the_week(store):
    now = dt.datetime.now(dt.UTC)
    table = pd.DataFrame({"x": [1]})
    for key in ("alpha", "beta"):
        harness.publish(store, "data_audit", key, data_audit=table)
    harness.publish(store, "lsoa_labels", None, lsoa_labels=table)
    week = dt.timedelta(days=7)
    told = digest(store, now - week, now).text.splitlines()
    assert told == [
        "3 results were made anew, 0 are as they were", "lsoa_labels", "data_audit of alpha, beta",
    ]  # fmt: skip
    later = digest(store, now + week, now + 2 * week)
    assert later.text == "0 results were made anew, 3 are as they were"


# -- from runs -------------------------------------------------------------------------------------


def told_of(store, job, partition=None, tags=None, *, sensor="failure_notices"):
    """The lines of the log after a job was run and the sensor saw how it ended."""
    definitions = build_definitions(store.root)
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=partition,
            tags=tags,
            run_config=QUIET,
            raise_on_error=False,
        )
        kind = "SUCCESS" if result.success else "FAILURE"
        (event,) = [e for e in result.all_events if e.event_type_value == f"PIPELINE_{kind}"]
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor,
            dagster_instance=instance,
            dagster_run=instance.get_run_by_id(result.run_id),
            dagster_event=event,
            resources={"study": StudyResource(root=str(store.root))},
        )
        asked = context if result.success else context.for_run_failure()
        definitions.resolve_sensor_def(sensor)(asked)
    file = store.dagster_home / LOG_FILE
    return log_lines(store) if file.exists() else []


def test_a_failed_step_is_told_of_by_asset_partition_and_reason(store):
    (line,) = told_of(store, "list_images", "alpha")
    assert "locations[alpha] failed: postcode_lsoa is not there" in line


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, "its process ended before a step failed"),
        (
            SimpleNamespace(
                cls_name="ClusterError",
                message="streetineq_assets.errors.ClusterError: no Ray cluster answers at head\n",
            ),
            "no Ray cluster answers at head (run ",
        ),
    ],
)
def test_a_run_that_failed_before_its_steps_is_told_of_by_what_its_executor_said(error, told):
    run = SimpleNamespace(job_name="extract_codes", tags={}, run_id="0123")
    context = SimpleNamespace(
        dagster_run=run,
        get_step_failure_events=list,
        failure_event=SimpleNamespace(job_failure_data=SimpleNamespace(error=error)),
    )
    (notice,) = failures(context)
    assert f"extract_codes failed: {told}" in notice.line


def test_a_run_that_dagster_tries_again_is_not_told_of(store):
    assert told_of(store, "list_images", "alpha", {"dagster/will_retry": "true"}) == []


def test_streetineq_run_says_itself_what_failed(store):
    assert told_of(store, "list_images", "alpha", LAUNCHER) == []


def test_the_digest_follows_the_report_of_the_week_alone(store):
    assert told_of(store, "publish_report", sensor="weekly_digest") == []
    weekly = {"dagster/schedule_name": "weekly_report"}
    (line,) = told_of(store, "publish_report", tags=weekly, sensor="weekly_digest")
    assert "results were made anew" in line
