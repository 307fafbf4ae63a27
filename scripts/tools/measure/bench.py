"""What is measured, and one measurement of it."""

import json
import subprocess
from dataclasses import dataclass

from agent import Agent
from failure import Failure
from peers import P11Kit, SSHAgent
from process import Server

SUBJECTS = ["raw", "socket", "least", "privyseal", "p11-kit", "ssh-agent"]
ALGORITHMS = ["RS256", "ES256"]
# More threads than this make the bare token no faster.
MOST_RAW = 8
# Processors that everything else may use without a measurement being made again, where that is asked for.
DISTURBANCE = 0.15


@dataclass(frozen=True)
class Case:
    subject: str
    algorithm: str
    connections: int
    in_flight: int = 1
    processes: bool = False

    @property
    def name(self):
        return self.subject + ("" if self.subject != "p11-kit" else " processes" if self.processes else " threads")

    @property
    def clients(self):
        return str(self.connections) if self.in_flight == 1 else f"{self.connections}×{self.in_flight}"


def cases(algorithms, subjects):
    """Those to be compared stand beside each other, since a machine's speed changes with the minutes."""
    for algorithm in algorithms:
        for connections, in_flight in [(1, 1), (2, 1), (8, 1), (64, 1), (1, 16), (8, 16)]:
            few = connections <= MOST_RAW and in_flight == 1
            for subject in subjects:
                if subject in ("raw", "p11-kit", "ssh-agent") and not few:
                    continue
                yield Case(subject, algorithm, connections, in_flight)
                if subject == "p11-kit" and connections > 1:
                    yield Case(subject, algorithm, connections, in_flight, processes=True)


def undisturbed(measure, most):
    """What the first of some tries gives in which nothing else used the processors, or else the one with the least of that."""
    tries = []
    while len(tries) < most and not (tries and tries[-1]["others"] <= DISTURBANCE):
        tries.append(measure())
    return min(tries, key=lambda measured: measured["others"])


def measured(command, environment, what, seconds):
    """What a program prints that takes about so many seconds."""
    ran = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=seconds + 60,
    )
    if ran.returncode != 0:
        raise Failure(f"{what}: {ran.stderr.strip()}", "nothing was measured")
    return json.loads(ran.stdout)


class Bench:
    """The servers of one run, and the programs that ask them."""

    def __init__(self, programs, binaries, token, algorithms, subjects, seconds, tries, module=None, settings=()):
        self.programs, self.token, self.seconds, self.tries = programs, token, seconds, tries
        self.module = module or token.module
        self.servers, self.left_out = [], []
        try:
            self.agent = Agent(binaries, token, module, settings)
            self.servers.append(self.agent.server)
            for algorithm in algorithms:
                self.agent.add_issuer(algorithm)
            self.echo = {a: self.program(f"socket-{a}", a) for a in algorithms if "socket" in subjects}
            self.least = {
                a: self.program(f"least-{a}", a, "--algorithm", a, *token.arguments) for a in algorithms if "least" in subjects
            }
            self.p11_kit = self.peer("p11-kit", P11Kit, subjects)
            self.ssh_agent = self.peer("ssh-agent", SSHAgent, subjects)
        except BaseException:
            self.stop()
            raise

    def program(self, name, algorithm, *arguments):
        path = f"{self.token.directory}/{name}.sock"
        size = str(self.agent.reply_bytes[algorithm])
        command = [f"{self.programs}/server", "--socket", path, "--reply-bytes", size, *arguments]
        server = Server(name, command, self.token.environment, f"{self.token.directory}/{name}.log")
        server.path = path
        self.servers.append(server)
        return server

    def peer(self, name, kind, subjects):
        if name not in subjects:
            return None
        if not kind.is_installed:
            self.left_out.append(f"{name} is left out: install {kind.package}")
            return None
        peer = kind(self.token)
        self.servers.append(peer.server)
        return peer

    def stop(self):
        for server in reversed(self.servers):
            server.stop()

    def measures(self, case):
        return {"p11-kit": self.p11_kit, "ssh-agent": self.ssh_agent}.get(case.subject, True) is not None

    def measure(self, case, rate=0):
        """A rate, in requests a second, is kept to whether or not earlier requests have been answered."""
        return undisturbed(lambda: self.measure_once(case, rate), self.tries)

    def measure_once(self, case, rate):
        command, environment = self.command(case)
        command += ["--algorithm", case.algorithm, "--seconds", str(self.seconds)]
        if rate:
            command += ["--rate", str(rate)]
        return measured(command, environment, f"{case.name}, {case.clients} clients, {case.algorithm}", self.seconds)

    def command(self, case):
        if case.subject in ("raw", "p11-kit"):
            return self.raw(case)
        token_key, agent = self.token.public_keys[case.algorithm], self.agent
        path, exchange, key, pid = {
            "privyseal": lambda: (agent.path, "json", agent.public_keys[case.algorithm], agent.server.pid),
            "socket": lambda: (self.echo[case.algorithm].path, "line", token_key, self.echo[case.algorithm].pid),
            "least": lambda: (self.least[case.algorithm].path, "signed-line", token_key, self.least[case.algorithm].pid),
            "ssh-agent": lambda: (self.ssh_agent.path, "ssh", token_key, self.ssh_agent.server.pid),
        }[case.subject]()
        command = [
            f"{self.programs}/load", "--socket", path, "--exchange", exchange, "--public-key", key, "--server-pid", str(pid),
            "--request", agent.requests[case.algorithm], "--comment", f"bench-{case.algorithm.lower()}",
            "--connections", str(case.connections), "--in-flight", str(case.in_flight),
        ]
        return command, self.token.environment

    def raw(self, case):
        arguments, environment, module = list(self.token.arguments), self.token.environment, self.module
        extra = ["--processes" if case.processes else "--threads", str(case.connections)]
        if case.subject == "p11-kit":
            module, environment = self.p11_kit.client, self.p11_kit.environment
            extra += ["--server-pid", str(self.p11_kit.server.pid)]
        arguments[1] = module
        key = self.token.public_keys[case.algorithm]
        return [f"{self.programs}/raw", *arguments, "--public-key", key, *extra], environment
