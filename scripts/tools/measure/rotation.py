"""What it costs those who sign that other issuers rotate, and how long a rotation takes."""

import json
import os
import re
import shutil
import socket
import threading
import time

from agent import Agent, request
from bench import Case
from report import Spread, progress, table
from scale import CONNECTIONS, Issuers, generation, load, median, raw
from softhsm import Token

KINDS = ["raw", "raw, generating", "quiet", "rotating", "quiet, half load", "rotating, half load"]
REVOCATIONS = ["revoking rotation, full load", "revoking rotation right after another, full load"]
# What SQLite and the audit log write before each fsync: a few pages, a few records.
WRITTEN = 4096
QUIET_ROTATIONS = 10
QUIET_REVOCATIONS = 3
# Times the seconds of another measurement, for revoking rotations beside signatures and rotations: each is some generations.
REVOKING_TIME = 3


class Connection:
    """One connection to the agent, for calls whose time counts."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.replies = self.socket.makefile("rb")

    def close(self):
        self.replies.close()
        self.socket.close()

    def call(self, method, **params):
        self.socket.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        return json.loads(self.replies.readline())["result"]

    def revoke(self, issuer):
        """A second rotation, which revokes and so waits for a fresh key: how long it took, in seconds."""
        self.rotate(issuer)
        return self.rotate_again(issuer)

    def revoke_at_once(self, issuer):
        """The same while the standby key that the first rotation left to be made is not there yet."""
        self.call("rotate", issuer=issuer)
        return self.rotate_again(issuer)

    def rotate_again(self, issuer):
        begun = time.monotonic()
        result = self.call("rotate", issuer=issuer)
        taken = time.monotonic() - begun
        assert result["plan"]["incoming"]["source"] == "generated" and result["plan"]["revoked"], result
        return taken

    def rotate(self, issuer):
        """Returns when the reply came and how long it took, in seconds, once the next standby key is published."""
        begun = time.monotonic()
        result = self.call("rotate", issuer=issuer)
        taken = time.monotonic() - begun
        assert result["plan"]["incoming"]["source"] == "standby" and not result["plan"]["revoked"], result
        while self.call("issuer-status", issuer=issuer)["keyCounts"]["standby"] == 0:
            time.sleep(0.02)
        return taken


def synchronisation(directory, count=50):
    """Seconds that writing a few KiB to the end of a file and bringing them to the disk takes."""
    taken, content = [], os.urandom(WRITTEN)
    file = os.open(f"{directory}/fsync", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for _ in range(count):
            begun = time.monotonic()
            os.write(file, content)
            os.fdatasync(file)
            taken.append(time.monotonic() - begun)
    finally:
        os.close(file)
    return taken


class Rotator(threading.Thread):
    """Rotates one issuer after the other, each of them once, for as long as others are measured."""

    def __init__(self, path, issuers, kinds=(Connection.rotate,)):
        super().__init__()
        self.connection, self.issuers, self.kinds = Connection(path), issuers, kinds
        # What each took, by kind; the kinds take turns.
        self.taken = [[] for _ in kinds]
        self.ending, self.seconds, self.failure = threading.Event(), 0, None

    def run(self):
        begun = time.monotonic()
        try:
            while self.issuers and not (self.ending.is_set() and all(self.taken)):
                kind = min(range(len(self.kinds)), key=lambda kind: len(self.taken[kind]))
                self.taken[kind].append(self.kinds[kind](self.connection, self.issuers.pop()))
        except Exception as failure:
            self.failure = failure
        self.seconds = time.monotonic() - begun
        self.connection.close()

    def end(self):
        self.ending.set()
        self.join()
        if self.failure:
            raise self.failure


class Rotation:
    def __init__(self, options, directory, results, algorithm):
        self.options, self.results, self.algorithm, self.programs = options, results, algorithm, options.programs
        os.mkdir(directory, 0o700)
        self.token = Token(directory, options.programs)
        self.agent = Agent(options.binaries, self.token)

    def run(self):
        self.prepare()
        for round in range(self.options.rounds):
            progress(f"{self.algorithm}, round {round + 1} of {self.options.rounds}")
            self.round(round)
        self.print_rates()
        self.print_latencies(self.count_synchronisations())

    def prepare(self):
        generated = generation(self.programs, self.token, self.algorithm, 10)["mean"]
        # A rotation is no more than the generation and what is waited for besides.
        self.each = int(1.5 * (self.options.seconds + 0.5) / (generated + 0.02)) + 5
        each_round = 2 * self.each + REVOKING_TIME * self.each * 3 // 2 + QUIET_ROTATIONS + QUIET_REVOCATIONS
        count = self.options.rounds * each_round + QUIET_ROTATIONS + 1
        count = max(count, self.options.issuers or 0)
        progress(f"{self.algorithm}: making {count} issuers")
        print(f"\n{self.algorithm}: {count} issuers, one of which signs")
        self.issuers = Issuers(self.agent, self.algorithm, count)
        self.rotated = self.issuers.names[1:]
        self.request, self.key = self.issuers.first_request, self.issuers.first_key
        self.signing(self.options.seconds)

    def signing(self, seconds, rate=0):
        return load(self.programs, self.agent, self.algorithm, self.request, self.key, seconds, rate)

    def take(self, count):
        taken, self.rotated = self.rotated[:count], self.rotated[count:]
        return taken

    def while_rotating(self, rate=0):
        rotator = Rotator(self.agent.path, self.take(self.each))
        before = time.process_time()
        rotator.start()
        try:
            measured = self.signing(self.options.seconds, rate)
        finally:
            rotator.end()
        # What rotates is in this process.
        measured["others"] -= (time.process_time() - before) / max(rotator.seconds, self.options.seconds)
        [taken] = rotator.taken
        measured["rotations"] = len(taken)
        measured["rotationsPerSecond"] = len(taken) / rotator.seconds
        measured["rotationP50"], measured["rotationMost"] = median(taken) * 1000, max(taken) * 1000
        return measured

    def revoke_while_rotating(self):
        """Revoking rotations while eight connections sign all they can and others rotate without a pause."""
        kinds = (Connection.revoke, Connection.revoke_at_once)
        others = [Rotator(self.agent.path, self.take(REVOKING_TIME * self.each))]
        others.append(Rotator(self.agent.path, self.take(REVOKING_TIME * self.each // 2), kinds))
        for other in others:
            other.start()
        try:
            self.signing(REVOKING_TIME * self.options.seconds)
        finally:
            for other in others:
                other.end()
        return others[1].taken

    def round(self, round):
        name = self.algorithm
        generated = generation(self.programs, self.token, name, 5)
        self.results.note(f"{name}, generation, seconds", generated["mean"])
        self.results.note(f"{name}, generation, processor seconds", generated["processor"])
        quiet = self.signing(self.options.seconds)
        rotating = self.while_rotating()
        rate = rotating["rotationsPerSecond"]
        # The same with the token alone: as many signing threads as connections, and as many keys a second.
        raw_quiet = raw(self.programs, self.token, name, self.options.seconds)
        raw_generating = raw(self.programs, self.token, name, self.options.seconds, rate)
        half = quiet["rate"] / 2
        quiet_half = self.signing(self.options.seconds, half)
        rotating_half = self.while_rotating(half)
        # Of all processors, and of the time that passes.
        rotating["generationProcessor"] = rate * generated["processor"] / os.cpu_count()
        rotating["generationTime"] = min(rate * generated["mean"], 1)
        for what, measured in zip(KINDS, [raw_quiet, raw_generating, quiet, rotating, quiet_half, rotating_half]):
            self.results.add(self.case(what), round, measured)
        connection = Connection(self.agent.path)
        synchronised = synchronisation(self.token.directory)
        for issuer in self.take(QUIET_ROTATIONS):
            self.results.note(f"{name}, rotation, quiet, ms", connection.rotate(issuer) * 1000)
        for issuer in self.take(QUIET_REVOCATIONS):
            self.results.note(f"{name}, revoking rotation, quiet, ms", connection.revoke(issuer) * 1000)
        synchronised += synchronisation(self.token.directory)
        connection.close()
        for what, taken in zip(REVOCATIONS, self.revoke_while_rotating()):
            for seconds in taken:
                self.results.note(f"{name}, {what}, ms", seconds * 1000)
        self.results.note(f"{name}, fsync, ms", median(synchronised) * 1000)
        self.results.note(f"{name}, fsync p99, ms", sorted(synchronised)[int(len(synchronised) * 0.99)] * 1000)

    def case(self, what):
        return Case(what, self.algorithm, CONNECTIONS)

    def print_rates(self):
        def spread(what, number):
            return self.results.spread(self.case(what), number)

        rows = []
        for quiet, rotating in (KINDS[:2], KINDS[2:4], KINDS[4:]):
            rows.append([quiet, *(spread(quiet, number).text(0) for number in ("rate", "p50", "p99")), "", "", "", "", ""])
            paces = ("rotationsPerSecond", "rotationP50", "rotationMost") if rotating != KINDS[1] else ("generated",)
            rows.append([
                rotating, *(spread(rotating, number).text(0) for number in ("rate", "p50", "p99")),
                *(self.results.ratio(self.case(rotating), self.case(quiet), number).text(2) for number in ("rate", "p99")),
                *(spread(rotating, number).text(1) for number in paces), *[""] * (3 - len(paces)),
            ])
        print()
        table([self.algorithm, "a second", "p50 µs", "p99 µs", "× rate", "× p99", "keys/s", "rotation p50 ms", "most ms"], rows)
        seconds, processor = (
            self.results.fact(f"{self.algorithm}, generation, {what}").median for what in ("seconds", "processor seconds")
        )
        print(
            f"the token itself takes {seconds * 1000:,.1f} ms to generate one of these keys, {processor * 1000:,.1f} of them on a "
            f"processor: at this pace {spread('rotating', 'generationTime').median:.2f} of the time and "
            f"{spread('rotating', 'generationProcessor').median:.2f} of the processors"
        )

    def print_latencies(self, synchronisations):
        name = self.algorithm
        rotation, one = self.results.fact(f"{name}, rotation, quiet, ms"), self.results.fact(f"{name}, fsync, ms")
        print(
            f"a rotation takes {rotation.text(1)} ms with nothing else going on, one write and fsync {one.text(2)} ms "
            f"(p99 {self.results.fact(f'{name}, fsync p99, ms').median:,.2f})"
        )
        revoking = [self.results.fact(f"{name}, {what}, ms") for what in ("revoking rotation, quiet", *REVOCATIONS)]
        print(
            "a rotation that revokes, and so waits for a fresh key, takes {} ms with nothing else going on, {} beside "
            "signatures at full load and rotations, {} there right after another rotation of the issuer".format(
                *(taken.text(0) for taken in revoking)
            )
        )
        if not synchronisations:
            print("how many fsyncs it makes was not counted: install strace")
            return
        before, after, taken, beyond = synchronisations
        print(
            f"it makes {before.text(0)} fsyncs before the reply, {after.text(0)} after it with the next standby key; with these "
            f"traced it takes {taken.text(1)} ms, {beyond.text(1)} ms more than its own fsyncs"
        )
        self.beyond = beyond

    def count_synchronisations(self):
        """What strace sees of some rotations: fsyncs before and after the reply, milliseconds, those beside fsyncs."""
        self.agent.stop()
        tracer = shutil.which("strace")
        if not tracer:
            return None
        trace = f"{self.token.directory}/trace"
        # -D: so that the process that is started is the agent, and ends when it is told to.
        wrapper = [tracer, "-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-e", "trace=fsync,fdatasync", "-o", trace]
        self.agent = Agent(self.options.binaries, self.token, wrapper=wrapper)
        connection, spans = Connection(self.agent.path), []
        for issuer in self.take(QUIET_ROTATIONS):
            begun = time.time()
            taken = connection.rotate(issuer)
            # The audit log is brought to the disk once a second by itself, and its head is signed.
            time.sleep(0.3)
            spans.append((begun, begun + taken, time.time()))
        connection.close()
        self.agent.stop()
        calls = []
        with open(trace) as file:
            for line in file:
                # A call during which another thread was traced is in two lines: when it began, and how long it took.
                seen = re.search(r" (\d+\.\d+) .*(?:fsync|fdatasync).*<(\d+\.\d+)>$", line)
                if seen:
                    at, seconds = float(seen[1]), float(seen[2])
                    calls.append((at - seconds, at) if "resumed" in line else (at, at + seconds))

        def own(first, last):
            return [(begun, ended) for begun, ended in calls if first <= begun < last]

        before = [own(begun, replied) for begun, replied, _ in spans]
        numbers = {
            "before": [len(some) for some in before],
            "after": [len(own(replied, last)) for _, replied, last in spans],
            "ms": [(replied - begun) * 1000 for begun, replied, _ in spans],
        }
        numbers["beyond"] = [
            taken - sum(ended - begun for begun, ended in some) * 1000 for taken, some in zip(numbers["ms"], before)
        ]
        for what, values in numbers.items():
            self.results.facts[f"{self.algorithm}, traced rotation, {what}"] = values
        return [Spread(values) for values in numbers.values()]

    def verdict(self):
        rate = self.results.ratio(self.case("rotating"), self.case("quiet")).median
        p99 = self.results.ratio(self.case("rotating, half load"), self.case("quiet, half load"), "p99").median
        alone = self.results.ratio(self.case("raw, generating"), self.case("raw")).median
        return f"{self.algorithm} {rate:.2f} × the quiet rate (the token alone {alone:.2f}), {p99:.1f} × the quiet p99"


def run_rotation(options, directory, results):
    said = []
    for algorithm in options.algorithms:
        rotation = None
        try:
            rotation = Rotation(options, f"{directory}/{algorithm}", results, algorithm)
            rotation.run()
            said.append(rotation.verdict())
        finally:
            if rotation:
                rotation.agent.stop()
    return "while others rotate: " + "; ".join(said)
