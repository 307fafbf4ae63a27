"""Instructions as the processor counts them, through the steps' benchmarks in Benchmarks/Steps."""

import ctypes
import json
import os
import platform
import re
import struct
import subprocess
import tempfile

import toolchain
from failure import Failure

SYSTEM_CALL = {"x86_64": 298, "aarch64": 241}
TARGET = "Steps"
# How often a benchmark does its step in one iteration.
REPETITIONS = 1000
# As scripts/bench-steps builds.
PACKAGE = [
    "--package-path", "Benchmarks", "--scratch-path", ".build-benchmarks", "-Xswiftc", "-enable-testing", "-Xswiftc", "-gnone",
    "-Xcc", "-g0", "-Xlinker", "--strip-debug",
]


def are_there():
    """Whether this process may count its instructions (perf_event_open(2))."""
    if platform.machine() not in SYSTEM_CALL:
        return False
    # Type hardware, event instructions, disabled, without the kernel and the hypervisor.
    size = 112
    attributes = struct.pack("=IIQQQQQ", 0, size, 1, 0, 0, 0, 1 | 1 << 5 | 1 << 6).ljust(size, b"\0")
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(SYSTEM_CALL[platform.machine()], attributes, 0, -1, -1, 0)
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


class Counters:
    name = "the processor's counters"

    def __init__(self):
        with open("/proc/cpuinfo") as file:
            model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
        machine = platform.machine() + (f", {model[1].strip()}" if model else "")
        self.description = {"source": "counters", "toolchain": toolchain.version(), "machine": machine}

    def count(self, binaries, steps):
        return measured([step.name for step in steps if step.is_on_one_thread], "instructions")


def measured(names, metric):
    """What `swift package benchmark` measures of each, for one time of the step: what nine iterations of ten stay within."""
    if not names:
        return {}
    with tempfile.TemporaryDirectory(prefix="privyseal-steps-") as directory:
        command = [
            "swift", "package", *PACKAGE, "--allow-writing-to-directory", directory, "benchmark", "--target", TARGET,
            *(part for name in names for part in ("--filter", name)), "--no-progress",
            "--format", "metricP90AbsoluteThresholds", "--path", directory,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).strip().splitlines()
            raise Failure(f"the benchmarks do not run: {lines[-1] if lines else done.returncode}", f"see {' '.join(command)}")
        return {name: read(f"{directory}/{TARGET}.{name}.p90.json", name, metric) for name in names}


def read(path, name, metric):
    try:
        with open(path) as file:
            return round(json.load(file)[metric] / REPETITIONS)
    except (OSError, KeyError):
        raise Failure(f"the benchmark of {name} gave no {metric}", "see whether perf stat -e instructions counts anything here")
