"""A Ray cluster of several nodes on this machine, in a network namespace of its own.

Ray listens on all interfaces, whatever address it is given. In the namespace there is none but
loopback, so nothing of it can be reached from elsewhere. Each node is a session of processes: that
is what is killed, and nothing by name.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BINARIES = Path(sys.executable).parent
HEAD = "127.0.0.1:6379"
API = "http://127.0.0.1:8265"
# What a node is started with: nothing of a study, as where somebody else runs the cluster.
_KEPT = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH")
# A node counts as lost after three seconds, and ends five seconds after its head; Ray's own figures
# make it half a minute and a minute.
_RAY = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    # As the manual says: below `uv run`, Ray would start each job through uv again.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
_ASK = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read().decode())"


class LocalCluster:
    """A head without CPUs, and nodes that are added to it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets: a short path
        self.nodes: dict[str, subprocess.Popen] = {}
        self._names: dict[str, str] = {}
        # The namespace is there as long as this process.
        forever = "ip link set lo up && echo up && exec sleep infinity"
        self._keeper = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", forever], stdout=subprocess.PIPE, text=True
        )
        assert self._keeper.stdout.readline() == "up\n"

    def command(self, *arguments: str) -> list[str]:
        """A command in the cluster's namespace."""
        return ["nsenter", f"--net=/proc/{self._keeper.pid}/ns/net", *arguments]

    def start(self, name: str, *options: str) -> None:
        """Start a node, the head first, and wait until it is one."""
        fixed = ["start", "--block", "--node-ip-address=127.0.0.1", "--disable-usage-stats"]
        if name == "head":
            fixed += ["--head", "--num-cpus=0", "--num-gpus=0", f"--temp-dir={self.folder}"]
        else:
            fixed += [f"--address={HEAD}", f'--resources={{"{name}": 1}}']
        environment = {each: os.environ[each] for each in _KEPT if each in os.environ} | _RAY
        environment["PATH"] = f"{BINARIES}:{environment['PATH']}"
        with self._log(name).open("w") as log:
            self.nodes[name] = subprocess.Popen(
                self.command(str(BINARIES / "ray"), *fixed, *options),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: name in self.up(), 180, lambda: self._log(name).read_text())

    def up(self) -> set[str]:
        """The names of the nodes that are up."""
        nodes = self._ask("/api/v0/nodes")
        listed = nodes["data"]["result"]["result"] if nodes else []
        self._names |= {node["node_id"]: _name_of(node) for node in listed}
        return {_name_of(node) for node in listed if node["state"] == "ALIVE"}

    def attempts(self, run_id: str) -> list[str]:
        """The names of the nodes on which a run's steps were tried, in order."""
        return [self._node_of(job) for job in self._jobs() if _run_of(job) == run_id]

    def attempts_now(self) -> list[str]:
        """The names of the nodes on which steps run now."""
        return [self._node_of(job) for job in self._jobs() if job["status"] == "RUNNING"]

    def _jobs(self) -> list[dict[str, Any]]:
        jobs = [job for job in self._ask("/api/jobs/") or [] if job["driver_node_id"]]
        return sorted(jobs, key=lambda job: job["start_time"])

    def _node_of(self, job: dict[str, Any]) -> str:
        return self._names[job["driver_node_id"]]

    def interfaces(self) -> set[str]:
        """The interfaces of the namespace."""
        return {each["ifname"] for each in json.loads(self._run("ip", "-j", "link").stdout)}

    def kill(self, name: str) -> None:
        """Take a node away at once, as a machine that loses its power."""
        node = self.nodes.pop(name)
        for pid in _session(node.pid):
            _kill(pid)
        node.wait()

    def stop(self) -> None:
        """End all nodes, and what they have started."""
        for name in list(self.nodes):
            self.kill(name)
        for pid in self._members() - {self._keeper.pid}:
            _kill(pid)
        self._keeper.kill()
        self._keeper.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _members(self) -> set[int]:
        """The processes of the namespace."""
        own = Path(f"/proc/{self._keeper.pid}/ns/net").readlink()
        found = set()
        for link in Path("/proc").glob("[0-9]*/ns/net"):
            try:
                if link.readlink() == own:
                    found.add(int(link.parts[2]))
            except OSError:  # it has ended
                continue
        return found

    def _ask(self, path: str) -> Any:
        """What the cluster answers; None where it does not."""
        asked = self._run(sys.executable, "-S", "-c", _ASK, API + path)
        return json.loads(asked.stdout) if asked.returncode == 0 else None

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def wait_for(condition: Callable[[], Any], seconds: float, what: Callable[[], str] = str) -> None:
    """Wait until a condition holds; `what` says what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.3)


def _name_of(node: dict[str, Any]) -> str:
    own = [name for name in node["resources_total"] if name.startswith("node_")]
    return own[0] if own else "head"


def _run_of(job: dict[str, Any]) -> str | None:
    return (job["metadata"] or {}).get("dagster/run-id")


def _session(leader: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,sid="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, session in rows if int(session) == leader]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
