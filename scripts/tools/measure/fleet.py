"""How three agents that share a token and an etcd fare beside one that has a store of its own."""

import http.client
import json
import os
import socket
import threading
import time

from agent import Agent, request
from bench import undisturbed
from failure import Failure
from process import Server
from report import progress, table
from scale import Issuers, load, timed_start
from softhsm import Token

ETCD = "/usr/bin/etcd"
AGENTS = MEMBERS = 3
# Signatures that are asked for while something ends, a second and agent.
PACE = 50


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Etcd:
    """A cluster on loopback."""

    def __init__(self, directory):
        ports = free_ports(2 * MEMBERS)
        self.directory, self.clients, self.peers = directory, ports[:MEMBERS], ports[MEMBERS:]
        self.servers = [None] * MEMBERS
        threads = [threading.Thread(target=self.start, args=(member,)) for member in range(MEMBERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not all(self.servers):
            raise Failure("etcd did not start", f"see {directory}/etcd-*.log")

    def start(self, member):
        def at(port):
            return f"http://127.0.0.1:{port}"

        client, peer = at(self.clients[member]), at(self.peers[member])
        self.servers[member] = Server(
            "etcd",
            [
                ETCD, "--name", f"m{member}", "--data-dir", f"{self.directory}/etcd-{member}", "--log-level", "error",
                "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer,
                "--initial-cluster", ",".join(f"m{number}={at(port)}" for number, port in enumerate(self.peers)),
            ],
            dict(os.environ), f"{self.directory}/etcd-{member}.log", ready=lambda: self.serves(member), seconds=60,
        )

    def post(self, member, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.clients[member], timeout=5)
        try:
            connection.request("POST", path, json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def serves(self, member):
        try:
            return "header" in self.post(member, "/v3/kv/range", {"key": "AA=="})
        except (OSError, ValueError):
            return False

    def leader(self):
        for member in range(MEMBERS):
            status = self.post(member, "/v3/maintenance/status", {})
            if status["leader"] == status["header"]["member_id"]:
                return member
        raise Failure("etcd has no leader", "try again")

    def kill(self, member):
        self.servers[member].process.kill()
        self.servers[member].process.wait()

    def stop(self):
        for server in self.servers:
            if server:
                server.stop()


class Place:
    """A machine: the token that all have, and a directory of its own."""

    def __init__(self, token, directory):
        os.makedirs(directory, mode=0o700)
        self.token, self.directory = token, directory

    def __getattr__(self, name):
        return getattr(self.token, name)

    def write(self, name, content):
        path = f"{self.directory}/{name}"
        with open(path, "wb") as file:
            file.write(content)
        return path


class Asker(threading.Thread):
    """Asks an agent again and again, with these lines in turn and each over a connection of its own, and notes what it refuses."""

    def __init__(self, agent, lines, pace):
        super().__init__()
        self.agent, self.lines, self.pace = agent, lines, pace
        self.asked, self.failed, self.ends = 0, [], threading.Event()
        self.start()

    def run(self):
        while not self.ends.wait(1 / self.pace):
            begun = time.monotonic()
            self.asked += 1
            try:
                if "result" in json.loads(self.agent.exchange(self.lines[self.asked % len(self.lines)])):
                    continue
            except (OSError, ValueError):
                pass
            self.failed.append((begun, time.monotonic()))

    def end(self):
        self.ends.set()
        self.join()

    @property
    def away(self):
        """Seconds from when the first failed request was sent to the answer to the last."""
        return self.failed[-1][1] - self.failed[0][0] if self.failed else 0.0


class Fleet:
    """One agent with a store in a file, and three with one in etcd, each of the two on a token of its own."""

    def __init__(self, options, directory, results):
        self.options, self.results, self.programs = options, results, options.programs
        self.count = options.issuers or 1_000
        self.algorithm = options.algorithms[-1]
        self.running = []
        try:
            os.mkdir(f"{directory}/alone", 0o700)
            os.mkdir(f"{directory}/fleet", 0o700)
            self.alone = Agent(options.binaries, Token(f"{directory}/alone", self.programs))
            self.running.append(self.alone)
            self.etcd = Etcd(directory)
            self.running.append(self.etcd)
            token = Token(f"{directory}/fleet", self.programs)
            self.agents = []
            for number in range(AGENTS):
                place = Place(token, f"{directory}/{number}")
                store = {
                    "etcd": {"endpoints": [f"http://127.0.0.1:{port}" for port in self.etcd.clients]},
                    "agent": f"agent-{number}", "memory": f"{place.directory}/memory.json", "maxStaleness": "10s",
                }
                self.agents.append(Agent(options.binaries, place, settings={"store": store}))
                self.running.append(self.agents[-1])
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for one in reversed(self.running):
            one.stop()

    def run(self):
        few = [Issuers(agent, self.algorithm, 1) for agent in (self.alone, self.agents[0])]
        self.rates(few)
        self.rotations("one issuer")
        self.endings(few[1].names[0])
        progress(f"making {self.count} issuers twice")
        for agent in (self.alone, self.agents[0]):
            for number in range(1, self.count):
                agent.create(f"shop-more-{number:05}", self.algorithm)
            agent.await_standby(f"shop-more-{self.count - 1:05}")
        self.rotations(f"{self.count} issuers")
        self.starts(few[0].names[0])
        ratio = self.results.fact("signatures: etcd by SQLite").median
        three = self.results.fact("signatures: three agents by one").median
        settled = self.results.fact("rotation, one issuer: etcd by SQLite").median
        return f"signatures with etcd {ratio:.2f} × SQLite, three agents {three:.2f} × one; a rotation is settled after {settled:.1f} × SQLite's"

    # Rates

    def measure(self, agent, issuers):
        return load(self.programs, agent, self.algorithm, issuers.requests, issuers.keys, self.options.seconds)

    def together(self, issuers):
        found = [None] * AGENTS

        def one(number):
            found[number] = self.measure(self.agents[number], issuers)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(AGENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not all(found):
            raise Failure("one of three agents could not be measured", "see above")
        return sum(measured["rate"] for measured in found)

    def rates(self, few):
        for agent in self.agents:
            agent.await_standby(few[1].names[0])
        for round in range(self.options.rounds):
            progress(f"rates, round {round + 1} of {self.options.rounds}")
            alone, one = (
                undisturbed(lambda: self.measure(agent, issuers), self.options.tries)
                for agent, issuers in ((self.alone, few[0]), (self.agents[0], few[1]))
            )
            self.results.note("signatures: etcd by SQLite", one["rate"] / alone["rate"])
            self.results.note("p50: etcd by SQLite", one["p50"] / alone["p50"])
            self.results.note("signatures: three agents by one", self.together(few[1]) / one["rate"])
        self.show("signatures: etcd by SQLite", "p50: etcd by SQLite", "signatures: three agents by one")

    def show(self, *names):
        print()
        table(["", "median (least–most)"], [[name, self.results.fact(name).text(2)] for name in names])

    # Rotations

    def rotations(self, what):
        """Until the reply, which with etcd is when every agent goes by it."""
        for round in range(self.options.rounds):
            progress(f"rotations with {what}, round {round + 1} of {self.options.rounds}")
            seconds = {}
            for kind, agent in (("SQLite", self.alone), ("etcd", self.agents[round % AGENTS])):
                name = f"shop-{kind.lower()}-{len(self.results.facts)}-{round}"
                agent.create(name, self.algorithm)
                agent.await_standby(name)
                begun = time.monotonic()
                reply = agent.call("rotate", issuer=name)
                seconds[kind] = time.monotonic() - begun
                if kind == "etcd" and not reply["settlement"]["settled"]:
                    raise Failure("a rotation was not settled at rest", "see the agents' logs")
                agent.call("issuer-delete", issuer=name)
            for kind, value in seconds.items():
                self.results.note(f"rotation, {what}: ms, {kind}", value * 1_000)
            self.results.note(f"rotation, {what}: etcd by SQLite", seconds["etcd"] / seconds["SQLite"])
        names = [f"rotation, {what}: {rest}" for rest in ("ms, SQLite", "ms, etcd", "etcd by SQLite")]
        self.show(*names)

    # Starts

    def starts(self, issuer):
        for round in range(self.options.rounds):
            progress(f"starts, round {round + 1} of {self.options.rounds}")
            for kind, agent, name in (("SQLite", self.alone, issuer), ("etcd", self.agents[0], issuer)):
                agent.stop()
                self.results.note(f"start: s to the first signature, {kind}", timed_start(agent, name)["signature"])
            values = [self.results.facts[f"start: s to the first signature, {kind}"][-1] for kind in ("etcd", "SQLite")]
            self.results.note("start: etcd by SQLite", values[0] / values[1])
        self.show("start: s to the first signature, SQLite", "start: s to the first signature, etcd", "start: etcd by SQLite")

    # Ends

    def endings(self, issuer):
        """What is refused, and for how long, when one of them is killed."""
        follower = next(member for member in range(MEMBERS) if member != self.etcd.leader())
        rows = []
        for what, kill, revive in (
            ("a member of etcd", lambda: self.etcd.kill(follower), lambda: self.etcd.start(follower)),
            ("the leader of etcd", self.kill_leader, self.revive_leader),
            ("an agent", self.kill_agent, self.agents[1].start),
        ):
            progress(f"the end of {what}")
            signers = [Asker(agent, [request(issuer)], PACE) for agent in self.agents]
            settings = {"jsonrpc": "2.0", "id": 1, "method": "issuer-update"}
            updates = [
                json.dumps({**settings, "params": {"issuer": issuer, "lifetimeSeconds": seconds}}).encode() + b"\n" for seconds in (3_600, 3_000)
            ]
            changer = Asker(self.agents[0], updates, 4)
            time.sleep(2)
            kill()
            time.sleep(8)
            for one in [*signers, changer]:
                one.end()
            revive()
            gone = signers.pop(1) if what == "an agent" else None
            failed = sum(len(signer.failed) for signer in signers)
            asked = sum(signer.asked for signer in signers)
            rows.append([what, f"{failed} of {asked}", f"{max(s.away for s in signers):.2f}", f"{len(changer.failed)} of {changer.asked}", f"{changer.away:.2f}"])
            self.results.note(f"end of {what}: signatures refused by the others", failed)
            self.results.note(f"end of {what}: changes refused for s", changer.away)
            if gone:
                self.results.note("end of an agent: what it answered no more, until it was started again", len(gone.failed))
            time.sleep(3)
        print()
        table(["the end of", "signatures refused", "for s", "changes refused", "for s"], rows)

    def kill_leader(self):
        self.led = self.etcd.leader()
        self.etcd.kill(self.led)

    def revive_leader(self):
        self.etcd.start(self.led)

    def kill_agent(self):
        self.agents[1].server.process.kill()
        self.agents[1].server.process.wait()


def run_fleet(options, directory, results):
    if not os.path.exists(ETCD):
        raise Failure("etcd is not installed", "apt-get install etcd-server")
    fleet = Fleet(options, directory, results)
    try:
        return fleet.run()
    finally:
        fleet.stop()
