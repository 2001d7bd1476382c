"""What TensorFlow writes to standard error while it starts: noise is dropped, errors stay.

TensorFlow 2.21 writes some lines before it reads `TF_CPP_MIN_LOG_LEVEL`, and reports at the level
of errors that a machine without a GPU has none. Native code writes them past Python, so standard
error goes through a process of its own: it has passed on every line even if importing aborts. That
process runs this file alone, which therefore imports nothing but the standard library.
"""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Generator

LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_WARNINGS_TOO = ("0", "1")
_END_S = 5.0
_LOW_LEVELS = re.compile(
    rb"[IW]\d{4} "  # absl's prefix of information and warnings
    rb"|WARNING: All log messages before absl"
    rb"|To enable the following instructions"
    rb"|E\d{4} .*oneDNN supports DT_HALF only"  # casts from float16 are exact without it
)
_NO_GPU = re.compile(rb"E\d{4} .*cuInit")


def is_noise(line: bytes, *, without_gpu: bool) -> bool:
    """Whether a line tells a user nothing.

    Args:
        without_gpu: whether no GPU is wanted, so that it is no error that CUDA has none.
    """
    return bool(_LOW_LEVELS.match(line) or (without_gpu and _NO_GPU.match(line)))


@contextlib.contextmanager
def without_noise(*, without_gpu: bool) -> Generator[None]:
    """Drop noise from standard error while TensorFlow is imported in the block.

    All is passed on where TensorFlow runs already, or where the environment asks for warnings too.

    Args:
        without_gpu: as in `is_noise`.
    """
    if "tensorflow" in sys.modules or os.environ.get(LEVEL_VARIABLE) in _WARNINGS_TOO:
        yield
        return
    command = [sys.executable, "-I", "-S", __file__, *(["without_gpu"] if without_gpu else [])]
    filtering = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - this file
    assert filtering.stdin
    sys.stderr.flush()
    outside = os.dup(2)
    try:
        os.dup2(filtering.stdin.fileno(), 2)
        filtering.stdin.close()
        yield
    finally:
        sys.stderr.flush()
        os.dup2(outside, 2)
        os.close(outside)
        with contextlib.suppress(subprocess.TimeoutExpired):  # a child of ours holds the pipe
            filtering.wait(timeout=_END_S)


def _pass_on() -> None:
    without_gpu = "without_gpu" in sys.argv[1:]
    for line in sys.stdin.buffer:
        if not is_noise(line, without_gpu=without_gpu):
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()


if __name__ == "__main__":
    _pass_on()
