"""How the agent fares with many issuers, many signatures behind it and a long audit log."""

import json
import os
import threading
import time

from agent import Agent, request
from bench import Case, measured, undisturbed
from failure import Failure
from faulty import FaultyModule
from report import progress, table
from softhsm import Token

CONNECTIONS = 8
SEARCH = "C_FindObjectsInit"


def load(programs, agent, algorithm, requests, keys, seconds, rate=0, replies=0, warm_up=0.2):
    """One measurement of the agent, asked with these requests in turn."""
    command = [
        f"{programs}/load", "--socket", agent.path, "--exchange", "json", "--public-key", keys, "--request", requests,
        "--server-pid", str(agent.server.pid), "--connections", str(CONNECTIONS), "--algorithm", algorithm,
        "--seconds", str(seconds), "--rate", str(rate), "--replies", str(replies), "--warm-up", str(warm_up),
    ]
    return measured(command, agent.token.environment, f"load, {algorithm}", seconds)


def raw(programs, token, algorithm, seconds, generate=0, keys=0):
    command = [
        f"{programs}/raw", *token.arguments, "--public-key", token.public_keys[algorithm], "--threads", str(CONNECTIONS),
        "--algorithm", algorithm, "--seconds", str(seconds), "--generate", str(generate), "--keys", str(keys),
    ]
    return measured(command, token.environment, f"raw, {algorithm}", seconds)


def generation(programs, token, algorithm, count):
    """Seconds to initialise the module and log in; median and mean seconds, and processor seconds, to generate a pair."""
    command = [f"{programs}/generate", *token.arguments, "--algorithm", algorithm, "--count", str(count)]
    return measured(command, token.environment, f"generate, {algorithm}", 60)


def memory(pid):
    """Resident now and at most so far, in MiB."""
    with open(f"/proc/{pid}/status") as file:
        values = dict(line.split(":", 1) for line in file)
    return {name: int(values[key].split()[0]) / 1024 for name, key in (("now", "VmRSS"), ("most", "VmHWM"))}


class Issuers:
    """Issuers of one agent, with a file of their requests and one of their keys."""

    def __init__(self, agent, algorithm, count):
        self.names = [f"shop-{algorithm.lower()}-{number:05}" for number in range(count)]
        self.seconds, kids = [], []
        for name in self.names:
            begun = time.monotonic()
            kids.append(agent.create(name, algorithm))
            self.seconds.append(time.monotonic() - begun)
        for name in self.names:
            agent.await_standby(name)
        self.requests = agent.token.write(f"issuers-{algorithm}.requests", b"".join(map(request, self.names)))
        keys = [agent.public_key(name, kid) for name, kid in zip(self.names, kids)]
        self.keys = agent.token.write(f"issuers-{algorithm}.keys", b"".join(keys))
        self.first_request = agent.token.write(f"issuer-{algorithm}.request", request(self.names[0]))
        self.first_key = agent.token.write(f"issuer-{algorithm}.key", keys[0])


def timed_start(agent, issuer):
    """Starts the agent; seconds from the start of the process to what its clients see of it."""
    begun, seen = time.monotonic(), {}

    def ask(name, line, is_there):
        while name not in seen and time.monotonic() - begun < 120:
            try:
                if is_there(json.loads(agent.exchange(line))):
                    seen[name] = time.monotonic() - begun
                    return
            except (OSError, ValueError):
                pass
            time.sleep(0.001)

    health = b'{"jsonrpc":"2.0","id":1,"method":"health","params":{}}\n'
    asked = [
        threading.Thread(target=ask, args=("health", health, lambda reply: "result" in reply)),
        threading.Thread(target=ask, args=("ok", health, lambda reply: reply["result"]["status"] == "ok")),
        threading.Thread(target=ask, args=("signature", request(issuer), lambda reply: "result" in reply)),
    ]
    for thread in asked:
        thread.start()
    agent.start(ready=lambda: all(not thread.is_alive() for thread in asked))
    if len(seen) < 3:
        raise Failure("the agent did not answer after its start", f"see {agent.token.directory}/agent.log")
    return seen


class Scale:
    """One agent with a single issuer and one with many, each on its own token."""

    def __init__(self, options, directory, results):
        self.options, self.results, self.programs = options, results, options.programs
        self.issuers = options.issuers or 1_000
        self.algorithm = options.algorithms[-1]
        self.agents = []
        self.few, self.many = (self.agent(f"{directory}/{name}") for name in ("one", "many"))

    def agent(self, directory):
        os.mkdir(directory, 0o700)
        agent = Agent(self.options.binaries, Token(directory, self.programs))
        self.agents.append(agent)
        return agent

    def stop(self):
        for agent in self.agents:
            agent.stop()

    def run(self):
        self.create()
        self.searches()
        self.rates()
        self.starts()
        self.signatures()
        self.logs()

    def create(self):
        count = self.issuers
        self.results.note("memoryStart", memory(self.many.server.pid))
        self.one = Issuers(self.few, self.algorithm, 1)
        generated = generation(self.programs, self.many.token, self.algorithm, 20)
        progress(f"making {count} issuers")
        begun = time.monotonic()
        self.all = Issuers(self.many, self.algorithm, count)
        seconds = time.monotonic() - begun
        after = generation(self.programs, self.many.token, self.algorithm, 20)
        self.results.note("memoryIssuers", memory(self.many.server.pid))
        some = max(count // 10, 1)
        self.results.note("issuers", count)
        self.results.note("creationSeconds", seconds)
        self.results.note("creationFirst", median(self.all.seconds[:some]))
        self.results.note("creationLast", median(self.all.seconds[-some:]))
        self.results.note("generationBefore", generated["median"])
        self.results.note("generationAfter", after["median"])
        print(
            f"\n{count} issuers, {2 * count} keys: made in {seconds:,.0f} s, {seconds / count * 1000:,.0f} ms each, of which the "
            f"token takes {2000 * after['median']:,.0f} to generate two keys ({2000 * generated['median']:,.0f} before the "
            f"first issuer); issuer-create {median(self.all.seconds[:some]) * 1000:,.1f} ms for the first {some}, "
            f"{median(self.all.seconds[-some:]) * 1000:,.1f} for the last"
        )

    def searches(self):
        """How often the token is searched, counted by a module that stands before it."""
        agent, name = self.many, self.all.names[0]
        agent.stop()
        module = FaultyModule(self.programs, agent.token)
        agent.configure(module.path)
        agent.start()
        before, rows = 0, []

        def note(what):
            nonlocal before
            # The head of the audit log is signed after the reply.
            time.sleep(0.5)
            count = module.counted(SEARCH)
            rows.append((what, count - before))
            before = count

        note("start")
        agent.exchange(request(name))
        note("first signature of an issuer")
        agent.create("shop-counted", self.algorithm)
        agent.await_standby("shop-counted")
        note("issuer-create, with its standby key")
        agent.exchange(request("shop-counted"))
        note("its first signature")
        agent.call("rotate", issuer="shop-counted")
        agent.await_standby("shop-counted")
        note("rotate, with the new standby key and the first signed head")
        agent.exchange(request("shop-counted"))
        note("the first signature after it")
        agent.call("issuer-update", issuer="shop-counted", standby=False)
        note("issuer-update that takes the standby key away")
        agent.call("list-keys", issuer=name)
        note("list-keys of two keys")
        agent.stop()
        self.results.note("searches", dict(rows))
        print("\nsearches of the token (C_FindObjectsInit): " + "; ".join(f"{what} {count}" for what, count in rows))
        agent.configure()
        agent.start()

    def cases(self):
        def of(agent, requests, keys):
            return lambda: load(self.programs, agent, self.algorithm, requests, keys, self.options.seconds)

        count = self.issuers
        return {
            "raw, one issuer's token": lambda: raw(self.programs, self.few.token, self.algorithm, self.options.seconds),
            f"raw, token of {count}": lambda: raw(self.programs, self.many.token, self.algorithm, self.options.seconds),
            f"raw, {count} keys in turn": lambda: raw(
                self.programs, self.many.token, self.algorithm, self.options.seconds, keys=count
            ),
            "one issuer": of(self.few, self.one.requests, self.one.keys),
            f"one of {count}": of(self.many, self.all.first_request, self.all.first_key),
            f"{count} in turn": of(self.many, self.all.requests, self.all.keys),
        }

    def rates(self):
        self.use_every_key()
        measures = self.cases()
        cases = {name: Case(name, self.algorithm, CONNECTIONS) for name in measures}
        for round in range(self.options.rounds):
            progress(f"rates, round {round + 1} of {self.options.rounds}")
            for name, measure in measures.items():
                self.results.add(cases[name], round, undisturbed(measure, self.options.tries))
        raw_single, single = cases["raw, one issuer's token"], cases["one issuer"]
        rows = []
        for name, case in cases.items():
            base = raw_single if name.startswith("raw") else single
            rows.append([
                name, *(self.results.spread(case, number).text(0) for number in ("rate", "p50", "p99")),
                self.results.ratio(case, base).text(2) if case is not base else "",
            ])
        print()
        table([f"{self.algorithm}, {CONNECTIONS} connections", "a second", "p50 µs", "p99 µs", "× one issuer"], rows)
        self.flat = self.results.ratio(cases[f"{self.issuers} in turn"], single)
        self.raw_flat = self.results.ratio(cases[f"raw, {self.issuers} keys in turn"], raw_single)

    def use_every_key(self):
        """In every session, as far as chance gives it to each of them."""
        replies = 20 * self.issuers
        load(self.programs, self.many, self.algorithm, self.all.requests, self.all.keys, 60, replies=replies, warm_up=0)

    def starts(self):
        rows = []
        count = self.issuers
        for round in range(self.options.rounds):
            progress(f"starts, round {round + 1} of {self.options.rounds}")
            for what, agent, issuers in [("one issuer", self.few, self.one), (f"{count} issuers", self.many, self.all)]:
                agent.stop()
                opened = generation(self.programs, agent.token, self.algorithm, 1)["open"]
                self.results.note(f"start, {what}, open", opened)
                for name, seconds in timed_start(agent, issuers.names[0]).items():
                    self.results.note(f"start, {what}, {name}", seconds)
            for name in ("first pass", "second pass", "third pass"):
                pass_ = load(
                    self.programs, self.many, self.algorithm, self.all.requests, self.all.keys, 60, replies=count, warm_up=0
                )
                self.results.add(Case(name, self.algorithm, CONNECTIONS), round, pass_)
        for what in ("one issuer", f"{count} issuers"):
            spread = [self.results.fact(f"start, {what}, {name}") for name in ("open", "health", "ok", "signature")]
            rows.append([what, *(one.text(3) for one in spread)])
        print()
        table(["seconds", "C_Initialize and login alone", "start to health", "to status ok", "to a signature"], rows)
        rows = []
        for name in ("first pass", "second pass", "third pass"):
            case = Case(name, self.algorithm, CONNECTIONS)
            ratio = self.results.ratio(case, Case(f"{count} in turn", self.algorithm, CONNECTIONS))
            rows.append([name, *(self.results.spread(case, number).text(0) for number in ("rate", "p50", "p99")), ratio.text(2)])
        print()
        table([f"after a start, {count} issuers once", "a second", "p50 µs", "p99 µs", "× in turn"], rows)

    def signatures(self):
        pid, parts = self.many.server.pid, 4
        memories = [("after the start and three passes", memory(pid))]
        for part in range(parts):
            progress(f"signatures, part {part + 1} of {parts}")
            replies = self.options.signatures // parts
            load(self.programs, self.many, self.algorithm, self.all.requests, self.all.keys, 3600, replies=replies, warm_up=0)
            memories.append((f"after {replies * (part + 1):,} more signatures", memory(pid)))
        started, made = self.results.facts["memoryStart"][0], self.results.facts["memoryIssuers"][0]
        rows = [("an empty agent, started", started), (f"after {self.issuers} issuers were made", made), *memories]
        self.results.note("memory", dict(memories))
        print()
        table(["resident, MiB", "now", "most so far"], [[what, f"{m['now']:,.1f}", f"{m['most']:,.1f}"] for what, m in rows])
        self.growth = memories[-1][1]["now"] - memories[1][1]["now"]

    def logs(self):
        """The log that the signatures have left, and an empty one, in turn."""
        log, beside = f"{self.many.token.directory}/audit.log", f"{self.many.token.directory}/beside"
        os.mkdir(beside, 0o700)
        self.many.stop()
        with open(log, "rb") as file:
            records = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        size = os.path.getsize(log)
        long, empty = (
            Case(f"audit log of {what}", self.algorithm, CONNECTIONS) for what in (f"{records:,} records", "no record")
        )
        for round in range(self.options.rounds):
            progress(f"audit logs, round {round + 1} of {self.options.rounds}")
            for case in (long, empty):
                if case is empty:
                    os.rename(log, f"{beside}/audit.log")
                for name, seconds in timed_start(self.many, self.all.names[0]).items():
                    self.results.note(f"start, {case.name}, {name}", seconds)
                self.use_every_key()
                self.results.add(case, round, undisturbed(self.cases()[f"{self.issuers} in turn"], self.options.tries))
                self.many.stop()
                if case is empty:
                    os.rename(f"{beside}/audit.log", log)
        rows = []
        for case in (long, empty):
            rows.append([
                case.name, self.results.spread(case, "rate").text(0), self.results.spread(case, "p99").text(0),
                self.results.ratio(case, empty).text(2) if case is long else "",
                *(self.results.fact(f"start, {case.name}, {name}").text(3) for name in ("health", "signature")),
            ])
        self.results.note("auditLogBytes", size)
        print()
        table(["", "a second", "p99 µs", "× no record", "s to health", "s to first signature"], rows)
        self.log_ratio = self.results.ratio(long, empty)

    def verdict(self):
        count = self.issuers
        start = self.results.fact(f"start, {count} issuers, signature").median
        return (
            f"{count} issuers in turn sign at {self.flat.median:.2f} × the rate of one (the token alone, with as many keys in "
            f"turn, at {self.raw_flat.median:.2f}); with the long audit log at "
            f"{self.log_ratio.median:.2f} × that with an empty one; first signature {start:.2f} s after a start; memory "
            f"{self.growth:+.1f} MiB over the last three quarters of {self.options.signatures:,} signatures"
        )


def median(values):
    return sorted(values)[len(values) // 2]


def run_scale(options, directory, results):
    scale = None
    try:
        scale = Scale(options, directory, results)
        scale.run()
        return scale.verdict()
    finally:
        if scale:
            scale.stop()
