"""What else signs for other processes with keys of a PKCS#11 token, where it is installed."""

import os
import shutil
import subprocess

from failure import Failure
from process import Server, is_there

P11_KIT_CLIENTS = ["/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so", "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so"]


class P11Kit:
    """p11-kit server: the token's functions over a socket, each call of them one message."""

    package = "p11-kit and p11-kit-modules"
    client = next((path for path in P11_KIT_CLIENTS if os.path.exists(path)), None)
    is_installed = client is not None and shutil.which("p11-kit") is not None

    def __init__(self, token):
        self.path = f"{token.directory}/p11-kit.sock"
        command = ["p11-kit", "server", "--foreground", "--provider", token.module, "--name", self.path, token.uri]
        self.server = Server("p11-kit", command, token.environment, f"{token.directory}/p11-kit.log", is_there(self.path))
        self.environment = dict(token.environment, P11_KIT_SERVER_ADDRESS=f"unix:path={self.path}")


class SSHAgent:
    """ssh-agent, to which ssh-add -s has given the token."""

    package = "openssh-client"
    is_installed = shutil.which("ssh-agent") is not None and shutil.which("ssh-add") is not None

    def __init__(self, token):
        self.path = f"{token.directory}/ssh.sock"
        environment = {name: value for name, value in token.environment.items() if name != "DISPLAY"}
        self.server = Server(
            "ssh-agent", ["ssh-agent", "-D", "-a", self.path], environment, f"{token.directory}/ssh-agent.log",
            is_there(self.path),
        )
        asks = token.write("askpass", f"#!/bin/sh\nexec cat '{token.pin_file}'\n".encode())
        os.chmod(asks, 0o700)
        added = subprocess.run(
            ["ssh-add", "-s", token.module],
            env=dict(environment, SSH_AUTH_SOCK=self.path, SSH_ASKPASS=asks, SSH_ASKPASS_REQUIRE="force"),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )
        if added.returncode != 0:
            self.server.stop()
            raise Failure("ssh-agent did not take the token", (added.stderr + added.stdout).strip().splitlines()[-1])
