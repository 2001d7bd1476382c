"""What TensorFlow says while it starts: noise is dropped, errors stay."""

import os
import subprocess
import sys

import pytest

from streetineq_assets.tensorflow_log import LEVEL_VARIABLE, is_noise

NOISE = [
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    b"I0000 00:00:1795642486.844529   22798 port.cc:153] oneDNN custom operations are on.\n",
    b"W0000 00:00:1795642486.844529   22798 gpu_device.cc:9] Cannot dlopen some libraries.\n",
    b"To enable the following instructions: AVX2 AVX512F FMA, in other operations, rebuild\n",
    b"E0000 00:00:1795642371.598110   17773 util.cc:131] oneDNN supports DT_HALF only on AVX-512\n",
]
NO_GPU = b"E0000 00:00:1 2 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)\n"
ERRORS = [
    b"E0000 00:00:1795642371.598110   17773 something.cc:1] out of memory\n",
    b"F0000 00:00:1795642371.598110   17773 cpu.cc:1] compiled to use AVX instructions\n",
    b"Traceback (most recent call last):\n",
]


@pytest.mark.parametrize("line", NOISE)
def test_noise(line):
    assert is_noise(line, without_gpu=False)


@pytest.mark.parametrize("line", ERRORS)
def test_errors_are_not_noise(line):
    assert not is_noise(line, without_gpu=True)


def test_a_failing_driver_is_an_error_only_where_a_gpu_is_wanted():
    assert is_noise(NO_GPU, without_gpu=True)
    assert not is_noise(NO_GPU, without_gpu=False)


def printed(block, **environment):
    """Standard error of a process that writes lines from below Python within `without_noise`."""
    script = (
        "import os, sys\n"
        "from streetineq_assets.tensorflow_log import without_noise\n"
        f"with without_noise(without_gpu=True):\n    {block}\n"
        "os.write(2, b'I0000 afterwards\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=False,
        env={key: value for key, value in os.environ.items() if key != LEVEL_VARIABLE}
        | environment,
    )
    return done.stderr


def test_native_output_is_filtered_in_the_block_alone():
    block = f"os.write(2, {NOISE[1]!r} + {ERRORS[0]!r} + {NO_GPU!r})"
    assert printed(block) == ERRORS[0] + b"I0000 afterwards\n"


def test_the_last_words_of_a_process_that_aborts_are_passed_on():
    assert printed(f"os.write(2, {ERRORS[1]!r}); os.abort()") == ERRORS[1]


def test_all_is_shown_to_whoever_asks_for_it():
    assert NOISE[1] in printed(f"os.write(2, {NOISE[1]!r})", **{LEVEL_VARIABLE: "0"})


@pytest.mark.slow
def test_tensorflow_starts_silently_on_a_cpu():
    script = (
        "from streetineq_assets.devices import DeviceRequest, lease\n"
        "with lease(DeviceRequest(kind='cpu')):\n"
        "    import tensorflow as tf\n"
        "    tf.cast(tf.ones((2, 2), tf.float16), tf.float32)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
