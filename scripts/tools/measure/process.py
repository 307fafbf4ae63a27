"""Processes that serve while others measure, each ended by its pid."""

import os
import select
import subprocess
import time

from failure import Failure


class Server:
    """A process that is ready once `ready` says so, or has written a line when there is no such function."""

    def __init__(self, name, command, environment, log, ready=None, seconds=20):
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stderr=file,
                stdout=subprocess.PIPE if ready is None else file,
            )
        self.pid = self.process.pid
        deadline = time.monotonic() + seconds
        while not (ready() if ready else self.has_written(0.1)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                with open(log) as file:
                    raise Failure(f"{name} did not start", "".join(file.readlines()[-2:]).strip() or "it says nothing")
            time.sleep(0.02)

    def has_written(self, seconds):
        readable, _, _ = select.select([self.process.stdout], [], [], seconds)
        return bool(readable) and self.process.stdout.readline() != b""

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def is_there(path):
    return lambda: os.path.exists(path)
