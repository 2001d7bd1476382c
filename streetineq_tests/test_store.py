"""Publishing is atomic, skipping is exact, and what does not match its manifest is not opened."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streetineq_assets import digests
from streetineq_assets.digests import RowDigests, digest_file, digest_frame
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore

RECIPE = Recipe(code_version="1", inputs={"labels": "abc"}, config={"seed": 1})


def one_file(text="first", unavailable=None):
    def write(folder):
        (folder / "table.txt").write_text(text)
        return Findings(values={"rows": 1}, unavailable=unavailable)

    return write


def two_files(text="first"):
    def write(folder):
        (folder / "a.txt").write_text(text)
        (folder / "b.txt").write_text(text)
        return Findings()

    return write


@pytest.fixture
def store(tmp_path):
    return DataStore(tmp_path)


@pytest.mark.parametrize("write", [one_file, two_files])
def test_what_was_published_is_found_again(store, write):
    store.publish("table", "london/crime", RECIPE, write())
    manifest = store.current("table", "london/crime", RECIPE)
    assert manifest is not None
    assert manifest.recipe == RECIPE
    artefact = store.open("table", "london/crime")
    assert {artefact.file(name).read_text() for name in manifest.files} == {"first"}


@pytest.mark.parametrize("write", [one_file, two_files])
def test_a_manifest_leads_to_its_files(store, write):
    manifest = store.publish("table", "london/crime", RECIPE, write())
    assert {path.name for path in store.path_of(manifest).iterdir()} >= set(manifest.files)


def test_a_manifest_names_the_libraries_that_shape_codes(store):
    manifest = store.publish("image_codes", "london/000", RECIPE, one_file())
    for name in ("tensorflow", "keras", "numpy", "pillow", "simplejpeg", "h5py"):
        assert manifest.library_versions[name] == version(name)


def test_manifests_are_listed_by_asset_and_city(store):
    for partition in ("london/crime", "leeds/education", "leeds/crime"):
        store.publish("table", partition, RECIPE, one_file())
    store.publish("other", "leeds/crime", RECIPE, one_file())
    store.publish("whole", None, RECIPE, one_file())
    listed = [manifest.partition for manifest in store.manifests("table")]
    assert listed == ["leeds/crime", "leeds/education", "london/crime"]
    assert [m.partition for m in store.manifests("table", "leeds")] == listed[:2]
    assert [m.partition for m in store.manifests("whole")] == [None]
    assert store.manifests("table", "york") == store.manifests("absent") == []


@pytest.mark.parametrize(
    "copy",
    [
        "leeds (copy)",  # of a file manager
        "leeds.bak",
        "leeds_copy",
        "york",  # a city that was renamed by hand
        "leeds/backup",
        ".Trash-1000/files/leeds",
        ".leeds",
    ],
)
def test_a_copied_or_renamed_folder_publishes_nothing(store, copy):
    store.publish("table", "leeds", RECIPE, two_files())
    store.publish("table", "bath", RECIPE, one_file())
    folder = store.folder("table", "leeds")
    shutil.copytree(folder, folder.parent / copy)
    assert [manifest.partition for manifest in store.manifests("table")] == ["bath", "leeds"]
    assert [manifest.partition for manifest in store.manifests("table", "leeds")] == ["leeds"]
    assert store.manifests("table", "york") == []
    assert store.intact("table", "york") is None
    with pytest.raises(StoreError, match=r"table\[york\] is not there"):
        store.open("table", "york")


def test_a_draft_of_another_partition_is_not_finished(store):
    store.publish("table", "leeds", RECIPE, one_file())
    folder = store.folder("table", "leeds")
    shutil.copytree(folder, store.folder("table", "york"))
    draft = store.folder("table", "york") / ".staging-0123.json"
    (store.folder("table", "york") / "manifest.json").rename(draft)
    assert store.intact("table", "york") is None


def test_a_single_file_keeps_its_place(store):
    for text in ("first", "second"):
        store.publish("table", None, RECIPE, one_file(text))
    assert (store.root / "assets" / "table" / "table.txt").read_text() == "second"


def test_older_generations_are_swept(store):
    for text in ("first", "second"):
        store.publish("table", "london", RECIPE, two_files(text))
    folders = [path for path in store.folder("table", "london").iterdir() if path.is_dir()]
    assert len(folders) == 1
    assert store.open("table", "london").file("a.txt").read_text() == "second"


def test_one_file_after_two_leaves_no_rest(store):
    store.publish("table", "london", RECIPE, two_files())
    store.publish("table", "london", RECIPE, one_file("alone"))
    names = {path.name for path in store.folder("table", "london").iterdir()}
    assert names == {"table.txt", "manifest.json"}


@pytest.mark.parametrize(
    "other",
    [
        Recipe(code_version="2", inputs={"labels": "abc"}, config={"seed": 1}),
        Recipe(code_version="1", inputs={"labels": "abd"}, config={"seed": 1}),
        Recipe(code_version="1", inputs={"labels": "abc"}, config={"seed": 2}),
        Recipe(code_version="1", inputs={"labels": "abc", "more": "x"}, config={"seed": 1}),
    ],
)
def test_another_recipe_is_not_skipped(store, other):
    store.publish("table", None, RECIPE, one_file())
    assert store.current("table", None, other) is None
    assert RECIPE.difference(other)


def test_the_difference_of_recipes_names_its_parts():
    other = Recipe(code_version="2", inputs={"labels": "abc"}, config={"seed": 2, "k": 5})
    assert RECIPE.difference(other) == ["code_version", "config.k", "config.seed"]


@pytest.mark.parametrize("write", [one_file, two_files])
@pytest.mark.parametrize("harm", ["edit", "truncate", "delete"])
def test_a_damaged_file_is_named_and_made_again(store, write, harm):
    manifest = store.publish("table", "london", RECIPE, write())
    path = store.folder("table", "london") / manifest.generation / sorted(manifest.files)[0]
    if harm == "edit":
        path.write_text("fIrst")
    elif harm == "truncate":
        path.write_text("fir")
    else:
        path.unlink()
    assert store.current("table", "london", RECIPE) is None
    with pytest.raises(StoreError, match=r"materialise table\[london\] again") as caught:
        store.open("table", "london")
    assert path.name in str(caught.value)


def test_a_flipped_bit_anywhere_in_a_manifest_is_noticed(store):
    """Also in a sentence that is only shown, or a number that a later step reads."""
    store.publish("table", None, RECIPE, one_file())
    file = store.folder("table") / "manifest.json"
    whole, before = file.read_bytes(), store.manifest("table")
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x40
        file.write_bytes(changed)
        found = store.manifest("table")
        # The name of the checksum is all that may change: then it is that of an earlier version.
        assert found is None or (found == before and b'"checksum"' not in changed), place
    file.write_bytes(whole)
    assert store.manifest("table") == before


@pytest.mark.parametrize(
    "content",
    ['{"asset": "tab', "[]", "{}", '{"schema_version": 1}', '{"schema_version": 1, "asset": 3}'],
)
def test_a_damaged_manifest_counts_as_none(store, content):
    store.publish("table", None, RECIPE, one_file())
    (store.folder("table") / "manifest.json").write_text(content)
    assert store.current("table", None, RECIPE) is None
    with pytest.raises(StoreError, match=r"manifest\.json is damaged: materialise table again"):
        store.open("table")


def test_the_reason_of_an_empty_artefact_is_its_content(store):
    """Its tables are as empty as before, and later steps repeat the reason."""
    digests = set()
    for reason in ("4 areas cannot fill 5 folds", "4 areas cannot fill 6 folds"):
        why = Unavailable("more areas", reason)
        manifest = store.publish("table", None, RECIPE, one_file("", unavailable=why))
        digests.add(manifest.digest)
    assert len(digests) == 2


def test_a_failed_write_keeps_the_last_good_artefact(store):
    store.publish("table", None, RECIPE, one_file("good"))

    def fail(folder):
        (folder / "table.txt").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StoreError, match=r"disk is full while writing .*table: free some space"):
        store.publish("table", None, Recipe(code_version="2"), fail)
    assert store.open("table").file("table.txt").read_text() == "good"
    assert {path.name for path in store.folder("table").iterdir()} == {"table.txt", "manifest.json"}


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_place_that_cannot_be_written_is_one_sentence(store, monkeypatch, number):
    def refuse(path, *_, **__):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    for write in (lambda: store.publish("table", None, RECIPE, one_file()),
                  lambda: store.workspace("table", None)):  # fmt: skip
        with pytest.raises(StoreError) as caught:
            write()
        assert str(store.folder("table")) in str(caught.value)
        assert os.strerror(number) in str(caught.value)


def test_a_disk_that_is_full_when_the_manifest_is_written_keeps_the_last_and_no_litter(
    store, monkeypatch
):
    store.publish("table", None, RECIPE, one_file("good"))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("streetineq_assets.manifests.Manifest.model_dump_json", full)
    with pytest.raises(StoreError, match="disk is full"):
        store.publish("table", None, Recipe(code_version="2"), one_file("better"))
    assert {path.name for path in store.folder("table").iterdir()} == {"table.txt", "manifest.json"}
    assert store.open("table").file("table.txt").read_text() == "good"


@pytest.mark.parametrize("earlier", [True, False])
def test_a_publication_cut_off_between_its_two_moves_is_finished_by_the_next_reader(
    store, monkeypatch, earlier
):
    if earlier:
        store.publish("table", "london", RECIPE, one_file())
    newer = Recipe(code_version="2")
    replace = Path.replace

    def cut_off(self, target):
        if Path(target).name == "manifest.json":
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            store.publish("table", "london", newer, one_file("second"))
    artefact = store.open("table", "london")
    assert artefact.file("table.txt").read_text() == "second"
    assert artefact.manifest.recipe == newer
    assert store.current("table", "london", newer)


@pytest.mark.parametrize("name", ["../escape", "a/b/c", "London", "", "a//b", "/etc"])
def test_a_partition_cannot_leave_its_folder(store, name):
    with pytest.raises(StoreError, match="not the name"):
        store.folder("table", name)


def test_the_digest_of_a_file_is_its_bytes(store):
    first = store.publish("table", None, RECIPE, one_file("same"))
    again = store.publish("table", None, Recipe(code_version="9"), one_file("same"))
    assert first.digest == again.digest


def test_a_file_is_read_once_until_it_is_touched(tmp_path, monkeypatch):
    path = tmp_path / "shard.h5"
    path.write_bytes(b"codes")
    reads = []
    file_digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: reads.append(1) or file_digest(*a))
    digest_file(path)
    digest_file(path)
    assert len(reads) == 2, "what was written a moment ago may be written again unseen"
    monkeypatch.setattr(digests, "SETTLED_S", 0.0)
    before = [digest_file(path), digest_file(path), digest_file(path)]
    assert len(reads) == 3
    times = path.stat()
    time.sleep(0.05)  # longer than a tick of the file system's clock
    path.write_bytes(b"CODES")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest_file(path) not in before
    assert digest_file(path) == hashlib.sha256(b"CODES").hexdigest()


def test_a_summary_may_speak_for_bytes_that_carry_the_time(store):
    def write(folder):
        (folder / "model.bin").write_bytes(os.urandom(8))
        return Findings(digest="weights")

    assert store.publish("model", None, RECIPE, write).digest == "weights"


def test_digests_of_frames_follow_values_names_and_types():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert digest_frame(frame) == digest_frame(frame.set_axis([7, 8]))
    assert digest_frame(frame) != digest_frame(frame.rename(columns={"a": "c"}))
    assert digest_frame(frame) != digest_frame(frame.astype({"a": "float64"}))
    assert digest_frame(frame) != digest_frame(frame[::-1])


def test_the_digest_of_a_slice_is_that_of_its_values():
    """Text with gaps lies differently in memory when it is cut out of a larger frame."""
    whole = pd.DataFrame({"group": [1, 1, 2, 2], "text": ["a", None, "b", "c"]}, dtype="object")
    whole = whole.astype({"group": "int64", "text": "str"})
    grouped = dict(tuple(whole.groupby("group", sort=False)))
    for group in (1, 2):
        alone = whole[whole["group"] == group]
        fresh = pd.DataFrame(alone.to_dict("list")).astype({"text": "str"})
        assert digest_frame(alone) == digest_frame(grouped[group]) == digest_frame(fresh)
    assert digest_frame(whole.iloc[:0]) == digest_frame(whole[whole["group"] == 9])


def test_parts_of_a_frame_that_was_hashed_once_have_the_digests_of_their_values():
    frame = pd.DataFrame(
        {
            "text": pd.array(["b", None, "a", "b"], dtype="str"),
            "decile": pd.array([1, None, 3, 4], dtype="Int8"),
            "value": [0.5, float("nan"), -0.0, 1e9],
            "day": pd.to_datetime(["2017-08-01", None, "2018-01-01", "2017-08-01"]),
            "known": [True, False, True, True],
        }
    )
    parts = RowDigests(frame)
    for rows in ([0, 1], [3, 1], [2], [], [0, 1, 2, 3]):
        assert parts.of(np.array(rows, int)) == digest_frame(frame.iloc[rows]), rows


PUBLISH_FOR_EVER = """
    import sys
    from streetineq_assets.findings import Findings
    from streetineq_assets.manifests import Recipe
    from streetineq_assets.store import DataStore
    store = DataStore(sys.argv[1])
    def write(number):
        def fill(folder):
            for name in "abcd":
                (folder / name).write_text(str(number) * 20000)
            return Findings()
        return fill
    print("ready", flush=True)
    number = 0
    while True:
        number += 1
        store.publish("table", "london", Recipe(code_version=str(number)), write(number))
"""


def test_a_kill_at_any_moment_leaves_a_whole_artefact(tmp_path):
    """Ten kills while publishing: what can be opened is always of one generation."""
    store = DataStore(tmp_path)
    store.publish("table", "london", RECIPE, two_files())
    for round_number in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PUBLISH_FOR_EVER), str(tmp_path)],
            stdout=subprocess.PIPE,
        ) as child:
            child.stdout.readline()
            time.sleep(0.02 + 0.013 * round_number)
            assert child.poll() is None, "it publishes until it is killed"
            child.send_signal(signal.SIGKILL)
        artefact = store.open("table", "london")
        contents = {artefact.file(name).read_text() for name in artefact.manifest.files}
        assert len(contents) == 1
