"""The measurements of scripts/bench-http, which prepares what they need."""

import argparse
import http.client
import json
import os
import re
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

STATUSES = (200, 304)
SCHEMES = ("http", "https")
SERVERS = ("privyseal", "nginx")


def fail(what, todo):
    print(f"error: {what}\nhint: {todo}", file=sys.stderr)
    sys.exit(1)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class NotInTime(Exception):
    """Something that had to happen has not."""


def wait_for(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.02)
    raise NotInTime(f"no {what} within {seconds} s")


class Agent:
    """The agent's socket, one request at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")

    def call(self, method, **parameters):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        reply = json.loads(self.lines.readline())
        if "result" not in reply:
            fail(f"{method}: {reply['error']['message']}", "see the agent's log")
        return reply["result"]


class Site:
    """An agent, a frontend for each scheme that follows it, and an nginx for both."""

    def __init__(self, directory, programs):
        self.directory = directory
        self.programs = programs
        self.processes = []
        self.ports = {(server, scheme): free_port() for server in SERVERS for scheme in SCHEMES}
        self.certificate = f"{directory}/certificate.pem"
        self.key = f"{directory}/key.pem"
        self.servers = {}

    def log_ends(self):
        """The last lines of every process."""
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(".log"):
                for line in open(self.path(name)).read().splitlines()[-3:]:
                    yield f"{name}: {line}"

    def path(self, name):
        return f"{self.directory}/{name}"

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def start(self, name, arguments, **environment):
        log = open(self.path(name + ".log"), "ab")
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environment})
        self.processes.append(process)
        return process

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait()

    def connection(self, server, scheme):
        port = self.ports[server, scheme]
        if scheme == "http":
            return http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        context = ssl.create_default_context(cafile=self.certificate)
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)

    def get(self, server, scheme, path, headers={}):
        connection = self.connection(server, scheme)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def start_agent(self):
        token = dict(line.split("=", 1) for line in open(self.path("token.env")).read().splitlines())
        self.write("agent.yaml", f"""
socket: {{ path: "{self.path('agent.sock')}", mode: "0600" }}
token: {{ uri: "{token['PRIVYSEAL_TOKEN_URI']}", module: /usr/lib/softhsm/libsofthsm2.so, pinFile: "{self.path('token/pin')}" }}
store: {{ sqlite: "{self.path('store.db')}" }}
publicBaseURL: https://oidc.example.com
""")
        subprocess.run(
            [f"{self.programs}/privyseald", "init", "--config", self.path("agent.yaml")], check=True, capture_output=True,
            env={**os.environ, "SOFTHSM2_CONF": token["SOFTHSM2_CONF"]})
        self.start(
            "agent", [f"{self.programs}/privyseald", "serve", "--config", self.path("agent.yaml")],
            SOFTHSM2_CONF=token["SOFTHSM2_CONF"])
        wait_for("answer of the agent", lambda: Agent(self.path("agent.sock")).call("version"))

    def start_frontends(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "30",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.certificate],
            check=True, stderr=subprocess.DEVNULL)
        for scheme in SCHEMES:
            os.mkdir(self.path(f"documents-{scheme}"), mode=0o700)
            tls = f"tls: {{ certificate: {self.certificate}, key: {self.key} }}" if scheme == "https" else ""
            self.write(f"{scheme}.yaml", f"""
agent: "{self.path('agent.sock')}"
listen: {{ host: 127.0.0.1, port: {self.ports['privyseal', scheme]} }}
cache: "{self.path(f'documents-{scheme}')}"
{tls}
""")
            process = self.start(
                f"frontend-{scheme}",
                [f"{self.programs}/privyseal-issuer", "serve", "--config", self.path(f"{scheme}.yaml")])
            self.servers["privyseal", scheme] = process
            wait_for("answer of the frontend", lambda: self.get("privyseal", scheme, "/readyz")[0].status == 200)

    def start_nginx(self, documents):
        """`documents` are what is served, by path: its headers and body."""
        locations = ""
        for path, (headers, body) in documents.items():
            file = f"www{path}"
            os.makedirs(os.path.dirname(self.path(file)), exist_ok=True)
            with open(self.path(file), "wb") as out:
                out.write(body)
            added = "".join(f"        add_header {name} \"{value}\";\n" for name, value in headers.items() if name != "Content-Type")
            locations += f"""
    location = {path} {{
        types {{ }}
        default_type {headers['Content-Type']};
{added}    }}"""
        temporary = "".join(
            f"    {kind}_temp_path {self.path(kind)};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        # A user other than root could not read the directory.
        user = "user root;" if os.getuid() == 0 else ""
        self.write("nginx.conf", f"""
{user}
worker_processes auto;
daemon off;
pid {self.path('nginx.pid')};
error_log {self.path('nginx-error.log')};
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 60;
    keepalive_requests 1000000000;
    open_file_cache max=100 inactive=1h;
    open_file_cache_valid 1h;
{temporary}
    ssl_certificate {self.certificate};
    ssl_certificate_key {self.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
    listen 127.0.0.1:{self.ports['nginx', 'http']};
    listen 127.0.0.1:{self.ports['nginx', 'https']} ssl;
    root {self.path('www')};
{locations}
    }}
}}
""")
        process = self.start("nginx", ["/usr/sbin/nginx", "-p", self.directory, "-c", self.path("nginx.conf")])
        for scheme in SCHEMES:
            self.servers["nginx", scheme] = process
            wait_for("answer of nginx", lambda: self.get("nginx", scheme, next(iter(documents)))[0].status == 200)

    def cpu_seconds(self, server, scheme):
        """Processor time that the server and its children have used."""
        total = 0
        pid = self.servers[server, scheme].pid
        children = open(f"/proc/{pid}/task/{pid}/children").read().split()
        for process in [str(pid)] + children:
            fields = open(f"/proc/{process}/stat").read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


UNITS = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}


def milliseconds(text):
    match = re.fullmatch(r"([0-9.]+)([a-z]+)", text)
    if not match:
        fail(f"wrk wrote a time as \"{text}\"", "run it again")
    number, unit = match.groups()
    return float(number) * UNITS[unit]


def run_wrk(site, server, scheme, path, tag, connections, seconds):
    url = f"{scheme}://127.0.0.1:{site.ports[server, scheme]}{path}"
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency", url]
    if tag:
        command[1:1] = ["-H", f"If-None-Match: {tag}"]
    before = site.cpu_seconds(server, scheme)
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = site.cpu_seconds(server, scheme) - before
    for complaint in ("Non-2xx", "Socket errors"):
        if complaint in output:
            fail(f"wrk: {output[output.index(complaint):].splitlines()[0]}", f"ask {server} for {url}")
    count = int(re.search(r"(\d+) requests in", output).group(1))
    return {
        "rate": float(re.search(r"Requests/sec:\s+([0-9.]+)", output).group(1)),
        "p50": milliseconds(re.search(r"(?m)^ +50% +(\S+)", output).group(1)),
        "p99": milliseconds(re.search(r"(?m)^ +99% +(\S+)", output).group(1)),
        "cpu": used / count * 1e6,
    }


def measure_requests(site, paths, options):
    """Every case, interleaved: the servers take turns within a case, and who begins changes from round to round."""
    results = {}
    tags = {
        (server, path): site.get(server, "http", path)[0].headers["ETag"] for server in SERVERS for path in paths.values()
    }
    for server in SERVERS:
        for path in paths.values():
            for scheme in SCHEMES:
                response, _ = site.get(server, scheme, path, {"If-None-Match": tags[server, path]})
                if response.status != 304:
                    fail(f"{server} answers {response.status} to its own entity tag", "see its log")
    for turn in range(options.rounds):
        for document, path in paths.items():
            for scheme in SCHEMES:
                for status in STATUSES:
                    for server in SERVERS if turn % 2 == 0 else reversed(SERVERS):
                        tag = tags[server, path] if status == 304 else None
                        sample = run_wrk(site, server, scheme, path, tag, options.connections, options.seconds)
                        results.setdefault((document, scheme, status), {}).setdefault(server, []).append(sample)
        print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
    return results


class Observer(threading.Thread):
    """Asks for a key set over and over and notes when its first key became another."""

    def __init__(self, site, scheme, path):
        super().__init__(daemon=True)
        self.connection = site.connection("privyseal", scheme)
        self.path = path
        self.seen = []
        self.asked = []
        self.stopping = False

    def run(self):
        former = None
        while not self.stopping:
            begun = time.monotonic()
            self.connection.request("GET", self.path)
            body = self.connection.getresponse().read()
            now = time.monotonic()
            self.asked.append(now - begun)
            if body != former:
                former = body
                self.seen.append((now, json.loads(body)["keys"][0]["kid"]))

    def when(self, kid):
        return next((moment for moment, first in list(self.seen) if first == kid), None)


def measure_rotations(site, agent, jwks, loaded, options):
    """Rotates issuer after issuer while wrk asks for another one's key set.

    An issuer's first rotation promotes the standby, its second revokes a key and publishes a fresh one.
    """
    results = {}
    issuers = list(jwks)
    for scheme in SCHEMES:
        mine, issuers = issuers[: options.rotations], issuers[options.rotations:]
        wrk = subprocess.Popen(
            ["wrk", "-t", "1", "-c", str(options.connections), "-d", "1h",
             f"{scheme}://127.0.0.1:{site.ports['privyseal', scheme]}{loaded}"],
            stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            for issuer in mine:
                observer = Observer(site, scheme, jwks[issuer])
                observer.start()
                wait_for("key set", lambda: observer.seen)
                for kind in ("promoting", "revoking"):
                    begun = time.monotonic()
                    reply = agent.call("rotate", issuer=issuer)
                    replied = time.monotonic()
                    kid = reply["activeKid"]
                    wait_for("rotation on the HTTP side", lambda: observer.when(kid))
                    seen = observer.when(kid)
                    results.setdefault((scheme, kind), []).append({
                        "request": (seen - begun) * 1e3, "reply": max(0, seen - replied) * 1e3,
                        "rotation": (replied - begun) * 1e3, "outcome": reply.get("publication", {}).get("outcome"),
                    })
                observer.stopping = True
                observer.join()
                results.setdefault((scheme, "poll"), []).append(statistics.median(observer.asked) * 1e3)
        finally:
            wrk.terminate()
            wrk.wait()
    return results


def median(samples, key):
    return statistics.median(sample[key] for sample in samples)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rotations", type=int, default=20)
    parser.add_argument("--json")
    options = parser.parse_args()
    if min(options.rounds, options.seconds, options.connections) < 1:
        fail("rounds, seconds and connections begin at 1", "see scripts/bench-http --help")
    site = Site(options.directory, os.path.abspath(options.programs))
    try:
        site.start_agent()
        agent = Agent(site.path("agent.sock"))
        jwks = {}
        for number in range(1 + 2 * options.rotations):
            name = f"bench-{number}"
            agent.call("issuer-create", issuer=name, algorithm="ES256", enableOIDCIssuer=True)
            uri = agent.call("issuer-status", issuer=name)["jwksUri"]
            jwks[name] = uri.removeprefix("https://oidc.example.com")
        loaded = jwks.pop("bench-0")
        paths = {"jwks": loaded, "discovery": loaded.removesuffix("openid/v1/jwks") + ".well-known/openid-configuration"}
        site.start_frontends()
        for scheme in SCHEMES:
            # With its standby key.
            wait_for("key set", lambda: len(json.loads(site.get("privyseal", scheme, loaded)[1])["keys"]) == 2)
        documents = {}
        for path in paths.values():
            response, body = site.get("privyseal", "http", path)
            kept = ("Content-Type", "Cache-Control", "X-Content-Type-Options", "Access-Control-Allow-Origin")
            documents[path] = ({name: response.headers[name] for name in kept}, body)
        site.start_nginx(documents)
        requests = measure_requests(site, paths, options)
        rotations = measure_rotations(site, agent, jwks, loaded, options) if options.rotations else {}
    except NotInTime as error:
        print("\n".join(site.log_ends()), file=sys.stderr)
        fail(error, "see the lines above, of the logs of agent, frontends and nginx")
    finally:
        site.end()

    print(f"{options.connections} connections, {options.rounds} rounds of {options.seconds} s, {os.cpu_count()} processors; "
          "medians")
    print(f"{'document':<10} {'scheme':<6} {'status':>6} | {'privyseal/s':>11} {'p50 ms':>7} {'p99 ms':>7} {'µs cpu':>7} "
          f"| {'nginx/s':>9} {'p50 ms':>7} {'p99 ms':>7} {'µs cpu':>7} | {'ratio':>6} {'spread':>13} {'by cpu':>6}")
    rows = []
    for (document, scheme, status), samples in requests.items():
        ours, theirs = (samples[server] for server in SERVERS)
        ratios = [a["rate"] / b["rate"] for a, b in zip(ours, theirs)]
        row = {
            "document": document, "scheme": scheme, "status": status, "samples": samples, "ratios": ratios,
            "ratio": statistics.median(ratios), "ratioByProcessorTime": median(theirs, "cpu") / median(ours, "cpu"),
        }
        rows.append(row)
        print(f"{document:<10} {scheme:<6} {status:>6} | " + " | ".join(
            f"{median(s, 'rate'):>{width}.0f} {median(s, 'p50'):>7.2f} {median(s, 'p99'):>7.2f} {median(s, 'cpu'):>7.1f}"
            for s, width in ((ours, 11), (theirs, 9)))
            + f" | {row['ratio']:>6.2f} {min(ratios):>6.2f}–{max(ratios):<6.2f} {row['ratioByProcessorTime']:>6.2f}")
    rotation_rows = []
    for scheme in SCHEMES if rotations else ():
        for kind in ("promoting", "revoking"):
            samples = rotations[scheme, kind]
            row = {"scheme": scheme, "kind": kind, "samples": samples, "poll": rotations[scheme, "poll"]}
            rotation_rows.append(row)
            requests_, replies = (sorted(s[key] for s in samples) for key in ("request", "reply"))
            print(f"rotation, {kind}, {scheme} at full load: seen {statistics.median(requests_):.1f} ms after the request "
                  f"(max {requests_[-1]:.1f}), {statistics.median(replies):.1f} ms after the reply (max {replies[-1]:.1f}); "
                  f"the agent took {statistics.median(s['rotation'] for s in samples):.1f} ms, "
                  f"a poll takes {statistics.median(row['poll']):.1f} ms")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({
                "connections": options.connections, "rounds": options.rounds, "seconds": options.seconds,
                "processors": os.cpu_count(), "requests": rows, "rotations": rotation_rows,
            }, file, indent=1)
            file.write("\n")


main()
