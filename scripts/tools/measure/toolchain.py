"""The compiler that what is measured was built with."""

import re
import subprocess

from failure import Failure


def version():
    said = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"Swift version (\S+)", said)
    if not found:
        raise Failure("swift does not say its version", "install Swift 6.2 or later, see https://www.swift.org/install")
    return f"Swift {found[1]}"
