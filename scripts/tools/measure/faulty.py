"""The module that stands before the token's own and counts every call; see Tests/FaultyToken/README.md."""

import os
import shutil
import struct


class FaultyModule:
    """A copy of the module in a directory of its own, with its settings beside it."""

    def __init__(self, programs, token, rules=""):
        directory = f"{token.directory}/faulty"
        os.mkdir(directory, 0o700)
        self.path = shutil.copy(f"{programs}/libFaultyToken.so", directory)
        self.counters = f"{directory}/counters"
        with open(f"{self.path}.conf", "w") as file:
            file.write(f"module={token.module}\ncontrol={directory}/rules\ncounters={self.counters}\n")
        if rules:
            with open(f"{directory}/rules", "w") as file:
                file.write(rules)

    def counted(self, function):
        """How often the function was called."""
        with open(self.counters, "rb") as file:
            content = file.read()
        counters = {}
        for name, count in struct.iter_unpack("<56sQ", content[: len(content) // 64 * 64]):
            if not name.strip(b"\0"):
                break
            counters[name.rstrip(b"\0").decode()] = count
        return counters[function]
