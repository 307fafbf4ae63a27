"""The SoftHSM token that everything in one run signs with."""

import os
import subprocess

import der
from failure import Failure

ROOT = os.path.normpath(os.path.dirname(os.path.abspath(__file__)) + "/../../..")
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
LABEL = "privyseal"


class Token:
    """Beside the agent's keys it has one for each algorithm that the programs here sign with."""

    def __init__(self, directory, programs):
        self.directory, self.module = directory, SOFTHSM
        made = subprocess.run(
            [f"{ROOT}/softhsm/make-token", "--dir", f"{directory}/token", "--label", LABEL],
            stdout=subprocess.PIPE, text=True, check=True,
        ).stdout
        values = dict(line.split("=", 1) for line in made.splitlines())
        self.uri, self.pin_file = values["PRIVYSEAL_TOKEN_URI"], f"{directory}/token/pin"
        self.environment = dict(os.environ, SOFTHSM2_CONF=values["SOFTHSM2_CONF"])
        keys = subprocess.run(
            [f"{programs}/make-keys", *self.arguments[1::2]],
            env=self.environment, stdout=subprocess.PIPE, text=True, check=False,
        )
        if keys.returncode != 0:
            raise Failure("the token has no keys to measure with", "see the line above")
        self.public_keys = {}
        for line in keys.stdout.splitlines():
            words = line.split()
            self.public_keys[words[0]] = self.write(f"{words[0]}.key", der.of_token(words))

    @property
    def arguments(self):
        """What the programs want to know to open it."""
        return ["--module", self.module, "--label", LABEL, "--pin-file", self.pin_file]

    def write(self, name, content):
        path = f"{self.directory}/{name}"
        with open(path, "wb") as file:
            file.write(content)
        return path
