"""privyseald, with access rules and its audit log, and issuers made in it."""

import json
import os
import socket
import subprocess
import time

import der
from failure import Failure
from process import Server

SUBJECT, AUDIENCE = "system:serviceaccount:shop:cart", "https://sts.example.com"
POD = {
    "namespace": "shop",
    "pod": {"name": "cart-7d9f8c6b5-x2x7p", "uid": "0c6b0f2e-4d0b-4f6e-9a51-0d3c1c1d8f10"},
    "serviceaccount": {"name": "cart", "uid": "8f0c2f0e-6d0f-4f55-9f0a-3d3f2f6f7c11"},
}
FIRST_ID = 1_000_000


class Agent:
    def __init__(self, binaries, token, module=None, settings=(), wrapper=()):
        self.path, self.token = f"{token.directory}/agent.sock", token
        self.file = f"{token.directory}/agent.yaml"
        self.requests, self.public_keys, self.reply_bytes = {}, {}, {}
        self.command = [*wrapper, f"{binaries}/privyseald", "serve", "--config", self.file]
        self.configure(module, settings)
        # A build from before this command makes the store when it is started.
        subprocess.run(
            [f"{binaries}/privyseald", "init", "--config", self.file], env={**os.environ, **token.environment},
            capture_output=True)
        self.start()

    def configure(self, module=None, settings=()):
        """What counts from the next start on."""
        rules = [
            {
                "user": str(os.getuid()), "allow": ["sign"], "issuers": ["shop-*"], "subjects": ["system:serviceaccount:*"],
                "audiences": ["https://*"], "claims": ["kubernetes.io"], "maxLifetime": "1h",
            },
            {"user": str(os.getuid()), "allow": ["*"]},
        ]
        configuration = {
            "socket": {"path": self.path},
            "token": {"uri": self.token.uri, "module": module or self.token.module, "pinFile": self.token.pin_file},
            "store": {"sqlite": f"{self.token.directory}/privyseal.db"},
            "publicBaseURL": "https://oidc.example.com",
            "access": rules,
            # One user signs more here in a minute than it may anywhere else in a day.
            "audit": {"limitPerUser": "none"},
            **dict(settings),
        }
        with open(self.file, "w") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(configuration, file)

    def start(self, ready=None):
        """Returns once the agent is ready: once `health` says ok, unless something else is meant by it."""
        self.server = Server(
            "privyseald", self.command, self.token.environment, f"{self.token.directory}/agent.log",
            ready=ready or self.answers, seconds=120,
        )

    def stop(self):
        self.server.stop()

    def exchange(self, line):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(self.path)
            connection.sendall(line)
            with connection.makefile("rb") as replies:
                return replies.readline()

    def call(self, method, **params):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        reply = json.loads(self.exchange(json.dumps(request).encode() + b"\n"))
        if "error" in reply:
            raise Failure(f"{method}: {reply['error']['message']}", reply["error"]["data"].get("hint", ""))
        return reply["result"]

    def answers(self):
        try:
            return self.call("health")["status"] == "ok"
        except (OSError, ValueError, Failure):
            return False

    def add_issuer(self, algorithm):
        """Makes the issuer; then its request, its active public key and the length of a reply are known."""
        name = f"shop-{algorithm.lower()}"
        kid = self.create(name, algorithm)
        self.await_standby(name)
        self.public_keys[algorithm] = self.token.write(f"{name}.key", self.public_key(name, kid))
        line = request(name)
        self.requests[algorithm] = self.token.write(f"{name}.request", line)
        self.reply_bytes[algorithm] = len(self.exchange(line))

    def create(self, name, algorithm):
        return self.call("issuer-create", issuer=name, algorithm=algorithm, enableOIDCIssuer=True)["issuer"]["activeKid"]

    def await_standby(self, name):
        """The standby is generated after the reply to a change, which is work for the token."""
        while self.call("issuer-status", issuer=name)["keyCounts"]["standby"] == 0:
            time.sleep(0.005)

    def public_key(self, name, kid):
        published = json.loads(self.call("get-discovery", issuer=name)["jwks"]["body"])["keys"]
        return der.of_jwk(next(jwk for jwk in published if jwk["kid"] == kid))


def request(issuer):
    """The line that asks for a signature."""
    claims = {"sub": SUBJECT, "aud": [AUDIENCE], "kubernetes.io": POD}
    wanted = {"jsonrpc": "2.0", "id": FIRST_ID, "method": "sign", "params": {"issuer": issuer, "claims": claims}}
    return json.dumps(wanted, separators=(",", ":")).encode() + b"\n"
