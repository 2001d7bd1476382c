"""What would wait for ever is refused: a cluster that does not answer, a step that fits nowhere."""

import socket
import time

import pytest

from streetineq_assets.cluster import nodes
from streetineq_assets.cluster.nodes import Needs, Node, connect, require_place
from streetineq_assets.errors import ClusterError

SMALL, LARGE, WITH_GPUS = Node("10.0.0.1", 2, 0), Node("10.0.0.2", 16, 0), Node("10.0.0.3", 8, 2)


@pytest.mark.parametrize("needs", [Needs(1), Needs(16), Needs(8, 2), Needs(0.5, 0.5)])
def test_one_node_with_enough_is_enough(needs):
    require_place("image_codes", needs, [SMALL, LARGE, WITH_GPUS])


@pytest.mark.parametrize("needs", [Needs(17), Needs(16, 1), Needs(1, 3)])
def test_what_no_node_has_by_itself_is_refused_with_what_there_is(needs):
    with pytest.raises(ClusterError, match="image_codes asks for") as refused:
        require_place("image_codes", needs, [SMALL, LARGE, WITH_GPUS])
    assert "16 CPUs and 0 GPUs; 2 CPUs and 0 GPUs; 8 CPUs and 2 GPUs" in str(refused.value)


def test_a_cluster_without_nodes_has_no_place():
    with pytest.raises(ClusterError, match="nodes: none"):
        require_place("image_codes", Needs(1), [])


class TestAddress:
    @pytest.fixture(autouse=True)
    def ray(self):
        return pytest.importorskip("ray", reason="Ray is not installed: `uv sync --extra ray`")

    @pytest.fixture
    def free_port(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    @pytest.mark.parametrize("form", ["127.0.0.1:{}", "http://127.0.0.1:{}", "ray://127.0.0.1:{}"])
    def test_one_where_nobody_answers_is_named_within_seconds(self, monkeypatch, free_port, form):
        address = form.format(free_port)
        monkeypatch.setenv("RAY_ADDRESS", address)
        started = time.monotonic()
        with pytest.raises(ClusterError, match=f"no Ray cluster answers at {address}, which RAY_"):
            connect()
        assert time.monotonic() - started < 10

    @pytest.mark.parametrize("address", ["nonsense", "bogus://head"])
    def test_one_that_is_none_is_named(self, monkeypatch, address):
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ClusterError, match=f"no Ray cluster answers at {address}"):
            connect()

    def test_without_one_the_command_that_starts_a_cluster_is_named(self, monkeypatch):
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        # Another cluster may run on this machine.
        monkeypatch.setattr("ray._private.services.find_gcs_addresses", set)
        with pytest.raises(ClusterError, match=r"no Ray cluster runs.*`ray start --head`"):
            connect()

    def test_a_cluster_that_does_not_list_its_nodes_is_named(self, free_port):
        class Client:
            def get_address(self):
                return f"http://127.0.0.1:{free_port}"

        with pytest.raises(ClusterError, match="does not list its nodes"):
            nodes.list_nodes(Client())
