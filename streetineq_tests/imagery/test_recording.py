"""Recordings survive who writes them, and are the same file whatever happened on the way."""

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.errors import SourceError
from streetineq_assets.imagery.recording import (
    Recording,
    link_key,
    picture_key,
    read_recording,
    request_key,
)

ENTRIES = {"b": {"json": [1, "é", None]}, "a": {"fault": "query_timeout"}, "c": {"json": {"x": 1}}}


def fill(path, entries=ENTRIES):
    with Recording(path) as recording:
        for key, values in entries.items():
            recording.put(key, **values)


def written(path, entries, folder):
    fill(path, entries)
    with Recording(path) as recording:
        recording.write(folder / "r.gz")
    return (folder / "r.gz").read_bytes()


def test_entries_are_found_at_once_and_later(tmp_path):
    fill(tmp_path / "r")
    with Recording(tmp_path / "r") as recording:
        assert recording.get("b") == {"key": "b", "json": [1, "é", None]}
        assert recording.get("z") is None
        assert len(recording) == 3


def test_later_entry_replaces_an_earlier_one_of_its_key(tmp_path):
    with Recording(tmp_path / "r") as recording:
        recording.put("a", json=1)
        recording.put("a", json=2)
        assert (recording.get("a"), len(recording)) == ({"key": "a", "json": 2}, 1)
    with Recording(tmp_path / "r") as recording:
        assert recording.get("a") == {"key": "a", "json": 2}


def test_same_entry_is_written_once(tmp_path):
    fill(tmp_path / "r")
    size = (tmp_path / "r").stat().st_size
    fill(tmp_path / "r")
    assert (tmp_path / "r").stat().st_size == size


@settings(max_examples=40)
@given(st.data())
def test_file_that_was_cut_anywhere_holds_all_whole_lines_and_is_gone_on_with(
    tmp_path_factory, data
):
    folder = tmp_path_factory.mktemp("cut")
    fill(folder / "r")
    whole = (folder / "r").read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    (folder / "r").write_bytes(whole[:at])
    with Recording(folder / "r") as recording:
        assert len(recording) == whole[:at].count(b"\n")
        recording.put("d", json="after")
    with Recording(folder / "r") as recording:
        assert recording.get("d") == {"key": "d", "json": "after"}
    fill(folder / "r", ENTRIES | {"d": {"json": "after"}})
    (folder / "all").mkdir()
    assert written(folder / "r", {}, folder) == written(
        folder / "all" / "r", ENTRIES | {"d": {"json": "after"}}, folder / "all"
    )


def test_blocks_that_a_disk_lost_are_asked_again(tmp_path):
    fill(tmp_path / "r")
    lines = (tmp_path / "r").read_bytes().splitlines(keepends=True)
    (tmp_path / "r").write_bytes(lines[0] + bytes(40) + b"\n" + lines[2])
    with Recording(tmp_path / "r") as recording:
        assert len(recording) == 1


def test_written_file_depends_on_nothing_but_the_entries(tmp_path):
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    one = written(folders[0] / "r", ENTRIES, folders[0])
    other = written(folders[1] / "other name", dict(reversed(ENTRIES.items())), folders[1])
    assert one == other
    lines = gzip.decompress(one).decode().splitlines()
    assert [json.loads(line).get("key") for line in lines] == [None, "a", "b", "c"]


def test_recording_is_read_back(tmp_path):
    fill(tmp_path / "r")
    with Recording(tmp_path / "r") as recording:
        recording.write(tmp_path / "r.gz")
    assert read_recording(tmp_path / "r.gz") == {
        key: {"key": key, **values} for key, values in ENTRIES.items()
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not packed",
        gzip.compress(b""),
        gzip.compress(b'{"format":"another"}\n'),
        gzip.compress(b"\xff\xfe"),
    ],
    ids=["empty", "not packed", "packed nothing", "another format", "no text"],
)
def test_other_files_are_told_by_name(tmp_path, data):
    (tmp_path / "r.gz").write_bytes(data)
    with pytest.raises(SourceError, match=r"r\.gz"):
        read_recording(tmp_path / "r.gz")


def test_damaged_file_is_told_by_name(tmp_path):
    fill(tmp_path / "r")
    with Recording(tmp_path / "r") as recording:
        recording.write(tmp_path / "r.gz")
    data = (tmp_path / "r.gz").read_bytes()
    (tmp_path / "r.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"r\.gz"):
        read_recording(tmp_path / "r.gz")


def test_threads_write_whole_lines(tmp_path):
    with Recording(tmp_path / "r") as recording:
        barrier = threading.Barrier(4)

        def write(first):
            barrier.wait()
            for k in range(50):
                recording.put(f"{first + k}", json="x" * k)
                assert recording.get(f"{first + k}")["json"] == "x" * k

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(0, 400, 100)))
    with Recording(tmp_path / "r") as recording:
        assert len(recording) == 200


def test_keys_have_no_secret_and_their_parameters_in_order():
    one = request_key("https://a.example/images", {"b": "2", "a": "1,2"})
    assert one == "GET https://a.example/images?a=1%2C2&b=2"
    assert request_key("https://a.example/x?z=1&access_token=t", {"b": "2"}) == (
        "GET https://a.example/x?z=1&b=2"
    )
    assert request_key("https://a.example/x?oh=1") == "GET https://a.example/x"
    assert link_key("1") != picture_key("1")
