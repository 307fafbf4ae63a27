"""Instructions as callgrind counts them: every one of the process that is not the kernel's, on any processor."""

import concurrent.futures
import glob
import os
import platform
import re
import shutil
import subprocess
import tempfile

import toolchain
from failure import Failure

# How often a step is done while it is counted: so that of the ES256 signatures one in 64 is verified. What a request of several
# threads does takes its time.
COUNT, COUNT_OF_WHOLE = 1024, 256
# The function that does a step again and again (PreparedStep in Benchmarks/Sources/SigningSteps), by its mangled name, and
# what the optimiser makes of it. Two patterns, since valgrind 3.19 knows one for one purpose only.
FUNCTION, SAME_FUNCTION = "$s12SigningSteps12PreparedStepV8repeated*", "$s12SigningSteps12PreparedStepV8repeatedy*"
# What a token does for a signature is not the agent's.
TOKEN = ["C_SignInit", "C_Sign"]


class Callgrind:
    name = "callgrind"

    def __init__(self):
        if not shutil.which("valgrind"):
            raise Failure(
                "the processor's counters are not to be had here, and valgrind is not installed",
                "install the package valgrind (apt-get install valgrind)",
            )
        # The processor that programs see under valgrind has AVX2 or not, as the one below; libraries choose by that.
        with open("/proc/cpuinfo") as file:
            has_avx2 = re.search(r"^flags\s*:.*\bavx2\b", file.read(), re.MULTILINE)
        self.description = {
            "source": self.name, "toolchain": toolchain.version(), "machine": platform.machine() + (", AVX2" if has_avx2 else "")
        }

    def count(self, binaries, steps):
        # Counts do not depend on what else the machine does.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            counts = list(pool.map(lambda step: count(binaries, step), steps))
        return {step.name: count for step, count in zip(steps, counts)}


def count(binaries, step):
    times = COUNT if step.is_on_one_thread else COUNT_OF_WHOLE
    with tempfile.TemporaryDirectory(prefix="privyseal-steps-") as directory:
        command = [
            "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={directory}/out",
            f"--zero-before={FUNCTION}", f"--dump-after={SAME_FUNCTION}",
            # In this order, or nothing is collected at all until a token's function is entered.
            *(f"--toggle-collect={function}" for function in TOKEN), "--collect-atstart=yes", f"{binaries}/repeat-step", step.name, str(times),
        ]
        # Hash seeds would make a difference from run to run; the backtracer would hang.
        environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no", "SWIFT_DETERMINISTIC_HASHING": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise Failure(f"{step.name} cannot be counted: {lines[-1] if lines else done.returncode}", " ".join(command[-3:]))
        # The dumps are of the first times, which are fewer, of the whole count, and of what is around the function.
        dumps = [text for text in map(read, glob.glob(f"{directory}/out*")) if "Trigger: --dump-after" in text]
        totals = [int(total) for text in dumps for total in re.findall(r"^totals: (\d+)$", text, re.MULTILINE)]
        if not totals:
            raise Failure(f"callgrind has counted nothing of {step.name}", f"look for {FUNCTION} among the functions of repeat-step")
        return round(max(totals) / times)


def read(path):
    with open(path) as file:
        return file.read()
