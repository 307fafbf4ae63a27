"""usage: scripts/abuse [--bin DIR] [--seconds N] [--only TEXT] [--check]

Measures what one caller's abuse costs the others: a victim asks for one signature after the other, with and without
somebody else's abuse beside it, and a client is started over and over. Prints a table: the victim's latencies, its p99 as
many times the quiet one before each abuse, what requests on fresh connections took at most, how many requests and clients
were refused, and the most memory the agent had resident. Starts an agent of its own with a SoftHSM token; leaves nothing
behind.

  --bin DIR    where privyseald and privyseal are (default: .build/debug; nothing is built)
  --seconds N  how long each measurement takes, 1 to 30 (default: 3)
  --only TEXT  only the abuses whose name has this text
  --check      ends with 1 when a victim was refused, or the agent had more than 150 MiB

As root, victim, abuser and strangers are different users; otherwise they are one, which the agent cannot tell apart, and it
says so. Exit status: 0 measured, 1 could not be, 2 usage.
"""

import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VICTIM, ABUSER, STRANGERS, MEMBERS, GROUP = 61001, 61002, 62000, 63000, 63999
ISSUERS = 250
MOST_MEMORY = 150
LINE = 64 * 1024


def fail(message, hint):
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    sys.exit(1)


def request(method, params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


def sign(issuer="demo", **claims):
    return request("sign", {"issuer": issuer, "claims": {"sub": "someone", "aud": "api", **claims}})


def connect(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return connection


class Child:
    """A process of another user; ends when it has returned, or with `stop`."""

    def __init__(self, uid, body):
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(reader)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                if uid is not None:
                    os.setgroups([])
                    os.setgid(uid)
                    os.setuid(uid)
                with os.fdopen(writer, "w") as out:
                    json.dump(body(), out)
                status = 0
            except Exception as error:
                print(f"error: {error}", file=sys.stderr)
            finally:
                os._exit(status)
        os.close(writer)
        self.reader = reader

    def result(self):
        with os.fdopen(self.reader) as reader:
            text = reader.read()
        os.waitpid(self.pid, 0)
        if not text:
            fail("a measuring process ended early", "see the lines above")
        return json.loads(text)

    def stop(self):
        ended, _ = os.waitpid(self.pid, os.WNOHANG)
        if ended == 0:
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)
        os.close(self.reader)
        return ended == 0


def ask(connection, line):
    """Whether the request was refused."""
    reply = b""
    connection.sendall(line)
    while not reply.endswith(b"\n"):
        more = connection.recv(65536)
        if not more:
            raise RuntimeError("the agent closed the victim's connection")
        reply += more
    return b'"error"' in reply


def measure(path, seconds, pause=0.0):
    """Milliseconds of each request, how many were refused, and milliseconds of those on fresh connections.

    Connects at once and begins after the pause, in which an abuse may begin.
    """
    connection, line = connect(path), sign()
    connection.settimeout(60)
    ask(connection, line)
    time.sleep(pause)
    latencies, fresh, refused = [], [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(50):
            begun = time.monotonic()
            refused += ask(connection, line)
            latencies.append((time.monotonic() - begun) * 1000)
            time.sleep(0.002)
        begun = time.monotonic()
        with connect(path) as other:
            other.settimeout(60)
            ask(other, line)
        fresh.append((time.monotonic() - begun) * 1000)
    return {"latencies": latencies, "refused": refused, "fresh": fresh}


def call_clients(binaries, path, seconds):
    """How many clients were started one after the other, and how many of them failed."""
    calls, failed, end = 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        calls += 1
        failed += subprocess.run(
            [f"{binaries}/privyseal", "issuer", "status", "demo"], env={"PRIVYSEAL_SOCKET": path}, capture_output=True
        ).returncode != 0
        time.sleep(0.1)
    return {"calls": calls, "failed": failed}


# The abuses: each goes on until its process is ended.


def flood(path, line, count=4, reads=True):
    connections = [connect(path) for _ in range(count)]
    block = line * max(1, 65536 // len(line))
    left = {connection: memoryview(block) for connection in connections}
    for connection in connections:
        connection.setblocking(False)
    while True:
        readable, writable, _ = select.select(connections if reads else [], connections, [])
        for connection in readable:
            if not connection.recv(1 << 20):
                raise RuntimeError("the agent closed the abuser's connection")
        for connection in writable:
            sent = connection.send(left[connection])
            left[connection] = left[connection][sent:] or memoryview(block)


def trickle(path):
    connections, line = [connect(path) for _ in range(100)], sign()
    for place in range(1 << 30):
        for connection in connections:
            connection.send(line[place % len(line) :][:1])
        time.sleep(1)


def thousand(path):
    connections = []
    while True:
        while len(connections) < 1000:
            try:
                connections.append(connect(path))
            except OSError:
                time.sleep(0.001)
        gone = closed(connections)
        for connection in gone:
            connection.close()
        connections = [connection for connection in connections if connection not in gone]
        time.sleep(0.01)


def closed(connections):
    poll, byNumber = select.poll(), {connection.fileno(): connection for connection in connections}
    for number in byNumber:
        poll.register(number, select.POLLIN | select.POLLHUP)
    return {byNumber[number] for number, _ in poll.poll(0)}


def knock(path):
    """Connects and closes, as fast as it goes."""
    while True:
        try:
            connect(path).close()
        except OSError:
            pass


def crowd(path, first, users, count, group):
    """Many users with some connections each, kept open, and opened again."""
    while True:
        held = []
        for number in range(users):
            os.setegid(group)
            os.seteuid(first + number)
            for _ in range(count):
                try:
                    held.append(connect(path))
                except OSError:
                    break
            os.seteuid(0)
            os.setegid(0)
        time.sleep(1)


def hoard(path, method, params):
    """Asks for much on many connections, and reads nothing."""
    connections = [connect(path) for _ in range(250)]
    line = request(method, params)
    for connection in connections:
        connection.setblocking(False)
    left = {connection: memoryview(line * 256) for connection in connections}
    while True:
        waiting = [connection for connection in connections if left[connection]]
        _, writable, _ = select.select([], waiting, [], 1)
        for connection in writable:
            try:
                left[connection] = left[connection][connection.send(left[connection]) :]
            except OSError:
                left[connection] = None


def abuses(path):
    """Name, what is done, and whether by a stranger: `None` where root goes through many users."""
    pad = LINE - len(sign(pad="")) - 1
    return [
        ("sign, 4 connections", lambda: flood(path, sign()), False),
        ("sign, 250 connections", lambda: flood(path, sign(), 250), False),
        ("sign, 250, nothing read", lambda: flood(path, sign(), 250, reads=False), False),
        ("empty lines, 250 connections", lambda: flood(path, b"\n", 250), False),
        ("denied, 250 connections", lambda: flood(path, sign(issuer="other"), 250), False),
        ("lines of 64 KiB, 250", lambda: flood(path, sign(pad="x" * pad), 250), False),
        ("a byte now and then, 100", lambda: trickle(path), False),
        ("a thousand connections", lambda: thousand(path), False),
        ("issuer-list, nothing read", lambda: hoard(path, "issuer-list", {"limit": ISSUERS}), False),
        ("get-discovery, nothing read", lambda: hoard(path, "get-discovery", {"issuer": "demo"}), False),
        ("version, nothing read", lambda: hoard(path, "version", {}), False),
        ("stranger, 4 connections", lambda: flood(path, sign()), True),
        ("stranger connects and closes", lambda: knock(path), True),
        ("270 strangers, 4 each", lambda: crowd(path, STRANGERS, 270, 4, STRANGERS), None),
        ("8 users, 200 each", lambda: crowd(path, MEMBERS, 8, 200, GROUP), None),
    ]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def most_resident(pid):
    """MiB since the last time."""
    with open(f"/proc/{pid}/status") as status:
        most = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    with open(f"/proc/{pid}/clear_refs", "w") as reset:
        reset.write("5")
    return most


def configuration(directory, uri, victim, abuser):
    rules = [{"user": str(os.getuid()), "allow": ["*"]}]
    if abuser is not None:
        rules = [
            {"user": str(victim), "allow": ["sign", "issuer-status"], "issuers": ["demo"]},
            {"user": str(abuser), "allow": ["sign"], "issuers": ["demo"], "claims": ["pad"]},
            {"group": str(GROUP), "allow": ["sign"], "issuers": ["demo"]},
            # What the frontend may do.
            {"user": str(abuser), "allow": ["get-discovery", "watch", "issuer-status", "issuer-list", "health", "version"]},
        ] + rules
    return json.dumps(
        {
            "socket": {"path": f"{directory}/agent.sock", "mode": "0666"},
            "token": {
                "uri": uri,
                "module": "/usr/lib/softhsm/libsofthsm2.so",
                "pinFile": f"{directory}/token/pin",
            },
            "store": {"sqlite": f"{directory}/privyseal.db"},
            "publicBaseURL": "http://127.0.0.1:8080",
            "access": rules,
        }
    )


def start(binaries, directory):
    """Starts the agent and makes the issuer; the agent's process and whether there are two users."""
    made = subprocess.run(
        [f"{ROOT}/softhsm/make-token", "--dir", f"{directory}/token"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    values = dict(line.split("=", 1) for line in made.splitlines() if "=" in line)
    environment = dict(
        os.environ, SOFTHSM2_CONF=values["SOFTHSM2_CONF"], PRIVYSEAL_SOCKET=f"{directory}/agent.sock"
    )
    users = (VICTIM, ABUSER) if os.getuid() == 0 else (None, None)
    with open(f"{directory}/agent.yaml", "w") as file:
        file.write(configuration(directory, values["PRIVYSEAL_TOKEN_URI"], *users))
    os.chmod(f"{directory}/agent.yaml", 0o600)
    made = subprocess.run(
        [f"{binaries}/privyseald", "init", "--config", f"{directory}/agent.yaml"], env=environment, capture_output=True)
    if made.returncode != 0:
        fail("the store could not be made", made.stderr.decode().strip().replace("\n", "; "))
    with open(f"{directory}/agent.log", "w") as log:
        agent = subprocess.Popen(
            [f"{binaries}/privyseald", "serve", "--config", f"{directory}/agent.yaml"],
            env=environment, stdout=log, stderr=log,
        )
    create = [f"{binaries}/privyseal", "issuer", "create", "demo", "--algorithm", "ES256", "--enable-oidc-issuer"]
    deadline = time.monotonic() + 30
    while subprocess.run(create, env=environment, capture_output=True).returncode != 0:
        if agent.poll() is not None or time.monotonic() > deadline:
            agent.terminate()
            with open(f"{directory}/agent.log") as log:
                fail("the agent did not start: " + "".join(log.readlines()[-2:]).strip(), "see whether it is built")
        time.sleep(0.2)
    with connect(f"{directory}/agent.sock") as operator:
        for number in range(ISSUERS - 1):
            name = f"issuer-{number}"
            if ask(operator, request("issuer-create", {"issuer": name, "algorithm": "ES256", "standby": False})):
                fail("an issuer could not be made", f"see {directory}/agent.log")
    return agent, users


def report(agent, binaries, path, users, seconds, only):
    """Prints the table; whether everybody but the abusers was served, within the memory there is to be."""
    victim, abuser = users

    def measuring(pause=0.0):
        return Child(victim, lambda: measure(path, seconds, pause))

    row = "{:<29} {:>6} {:>6} {:>6} {:>7} {:>7} {:>8} {:>8} {:>9} {:>8}"
    print(row.format("abuse", "quiet", "", "abused", "", "p99", "fresh", "refused", "clients", "most"))
    print(row.format("(milliseconds, MiB)", "p50", "p99", "p50", "p99", "times", "at most", "", "failed", "resident"))
    is_well = True
    for name, abuse, by_stranger in abuses(path):
        if only not in name or (by_stranger is not False and victim is None):
            continue
        quiet = measuring().result()["latencies"]
        most_resident(agent.pid)
        who = abuser if by_stranger is False else STRANGERS if by_stranger else None
        sufferer = measuring(pause=1.0)
        clients = Child(victim, lambda: (time.sleep(1.0), call_clients(binaries, path, seconds))[1])
        time.sleep(0.3)
        child = Child(who, abuse)
        outcome, calls = sufferer.result(), clients.result()
        if not child.stop():
            name += " (ended early)"
        most = most_resident(agent.pid)
        abused = outcome["latencies"]
        numbers = [percentile(values, share) for values in (quiet, abused) for share in (0.5, 0.99)]
        is_well = is_well and outcome["refused"] == 0 and calls["failed"] == 0 and most <= MOST_MEMORY
        print(
            row.format(
                name, *(f"{number:.2f}" for number in numbers), f"{numbers[3] / numbers[1]:.1f}",
                f"{max(outcome['fresh']):.1f}", outcome["refused"], f"{calls['failed']}/{calls['calls']}", f"{most:.0f}",
            ),
            flush=True,
        )
        time.sleep(1.0)
    return is_well


def main(arguments):
    binaries, seconds, only, checks = f"{ROOT}/.build/debug", 3, "", False
    while arguments:
        name, *arguments = arguments
        if name in ("-h", "--help"):
            print(__doc__, end="")
            return
        if name == "--bin" and arguments:
            binaries, *arguments = arguments
        elif name == "--seconds" and arguments and arguments[0].isdecimal() and 1 <= int(arguments[0]) <= 30:
            seconds, arguments = int(arguments[0]), arguments[1:]
        elif name == "--only" and arguments:
            only, *arguments = arguments
        elif name == "--check":
            checks = True
        else:
            print(__doc__, end="", file=sys.stderr)
            sys.exit(2)
    if not os.access(f"{binaries}/privyseald", os.X_OK):
        fail(f"there is no privyseald in {binaries}", "run scripts/build, or name another directory with --bin")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    directory = tempfile.mkdtemp(prefix="privyseal-abuse-")
    os.chmod(directory, 0o711)
    agent = None
    try:
        agent, users = start(binaries, directory)
        who = "two users" if users[0] is not None else "one user: the agent cannot tell victim from abuser"
        print(f"{who}; binaries of {binaries}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        if not report(agent, binaries, f"{directory}/agent.sock", users, seconds, only) and checks:
            fail("somebody was refused, or the agent had too much memory", "see the table")
    finally:
        if agent is not None and agent.poll() is None:
            agent.terminate()
            agent.wait()
        shutil.rmtree(directory, ignore_errors=True)


main(sys.argv[1:])
