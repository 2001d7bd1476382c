"""An extraction that is killed, meets damaged parts or a full disk: what was finished is kept."""

import errno
import os
import random
import resource
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from filelock import FileLock

from streetineq_assets.codes.extraction import Pace
from streetineq_assets.errors import StoreError
from streetineq_tests.codes.fakes import LOCATIONS as IDS
from streetineq_tests.codes.fakes import contents, fake_encoder


class TestInterruption:
    def test_finished_parts_are_kept_when_the_encoder_fails(self, extract):
        encoder = fake_encoder()

        def fails_late(pixels):
            if len(encoder.encode.calls) == 6:
                raise RuntimeError("device lost")
            return encoder.encode(pixels)

        broken = replace(encoder, encode=fails_late)
        with pytest.raises(RuntimeError, match="device lost"):
            extract(encoder=broken, pace=Pace(part_rows=4))
        assert not (extract.folder / "codes.h5").exists()
        assert threading.active_count() < 8, "worker threads have ended"
        findings = extract()
        assert findings.values["n_reused"] == 8
        assert findings.values["n_encoded_now"] == 12

    def test_a_damaged_part_is_dropped_and_made_again(self, extract):
        extract(pace=Pace(part_rows=5))
        parts = sorted(extract.work.glob("part-*.h5"))
        assert len(parts) == 4
        with h5py.File(parts[0], "a") as file:
            file["features"][0, 0, 0] += 1
        parts[1].write_bytes(parts[1].read_bytes()[:-3000])
        reported = []
        findings = extract(name="b.h5", report=reported.append)
        assert findings.values["n_encoded_now"] == 10
        assert len(reported) == 2
        assert not parts[0].exists()

    def test_flipped_bits_in_a_part_are_damage_wherever_they_are(self, extract):
        extract(IDS[:4])
        (part,) = extract.work.glob("part-*.h5")
        data = part.read_bytes()
        rng = random.Random(2019)
        for number in range(300):
            flipped = bytearray(data)
            flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            part.with_name(f"part-{number}.h5").write_bytes(flipped)
        expected = contents(extract.folder / "codes.h5")[1]
        extract(IDS[:4], name="b.h5")
        np.testing.assert_array_equal(contents(extract.folder / "b.h5")[1], expected)

    def test_more_parts_than_a_process_may_open_are_all_used(self, extract):
        extract(pace=Pace(part_rows=1))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        in_use = len(list(Path("/proc/self/fd").iterdir()))
        resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 12, hard))
        try:
            findings = extract(name="b.h5", pace=Pace(workers=1))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert findings.values["n_reused"] == len(IDS)

    def test_two_processes_do_not_share_a_workspace(self, extract):
        other = FileLock(extract.work / "lock")
        with other, pytest.raises(StoreError, match="another process"):
            extract()

    def test_a_file_system_without_locks_is_told_and_worked_on(self, extract, monkeypatch):
        def refuse(_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(FileLock, "acquire", refuse)
        said = []
        assert extract(report=said.append).values["n_extracted"] == 20
        assert any("without locks" in line for line in said)

    def test_a_part_is_written_after_its_time(self, extract):
        extract(encoder=fake_encoder(seconds=0.05), pace=Pace(part_seconds=0.08))
        assert len(list(extract.work.glob("part-*.h5"))) > 2


class TestFullDisk:
    def test_the_error_names_the_file(self, extract, monkeypatch):
        extract(IDS[:4])

        def full(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(h5py.Group, "create_dataset", full)
        with pytest.raises(StoreError, match=r"disk is full.*part-.*\.h5"):
            extract(name="b.h5")

    def test_a_real_limit_of_the_file_size_stops_the_run_and_keeps_what_is_there(self, tmp_path):
        """In a process of its own, whose files may not grow beyond 200 kB."""
        script = """
import resource, sys
from pathlib import Path
import numpy as np
from streetineq_assets.codes.bucket_file import Contents, write_bucket
from streetineq_assets.errors import StoreError
from streetineq_assets.image_settings import Images
from streetineq_tests.codes.fakes import IDENTITY
encoder = IDENTITY.model_copy(update={"width": 64})
folder = Path(sys.argv[1])
def write(count):
    hashes = np.full((count, 4), "0" * 64)
    ids = [f"{n:04d}" for n in range(count)]
    blocks = (np.ones((10, 4, 64), np.float32) for _ in range(count // 10))
    write_bucket(folder / "codes.h5", Contents(ids, hashes, encoder), blocks)
write(20)
before = (folder / "codes.h5").read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    write(1000)
except StoreError as error:
    assert "disk is full" in str(error), error
    assert (folder / "codes.h5").read_bytes() == before
    print("unchanged")
"""
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == "unchanged", done.stderr
