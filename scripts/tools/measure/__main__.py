"""usage: scripts/bench [--rounds N] [--seconds N] [--algorithms NAME,...] [--only NAME,...] [--quick] [--tries N]
                     [--json FILE]
       scripts/bench --half-load | --slow-token [--rounds N] [--seconds N] [--algorithms NAME,...] [--tries N] [--json FILE]
       scripts/bench --scale [--issuers N] [--signatures N] [--rounds N] [--seconds N] [--algorithms NAME] [--quick] [--json FILE]
       scripts/bench --rotation [--issuers N] [--rounds N] [--seconds N] [--algorithms NAME,...] [--json FILE]
       scripts/bench --fleet [--issuers N] [--rounds N] [--seconds N] [--algorithms NAME] [--json FILE]

Measures how fast the agent signs, beside the token itself and beside others, on one SoftHSM token made for it: the agent
as it is delivered, built for release, with access rules and its audit log. Prints medians, spread and ratios within a
round; docs/benchmarks.md says what each line means. Leaves nothing behind but the file.

  --rounds N         how often each measurement is made, all of them in turn (default: 5)
  --seconds N        how long each takes (default: 2)
  --algorithms LIST  of RS256 and ES256 (default: both)
  --only LIST        of raw, socket, least, privyseal, p11-kit and ssh-agent (default: all that are installed)
  --quick            two rounds of half a second; with --scale also 100 issuers and 50,000 signatures
  --half-load        latencies at half the rate that saturates the agent, instead
  --slow-token       rates with a token that takes 5 ms for each signature and has 32 sessions, instead
  --scale            rates, starts and memory with many issuers, many signatures and a long audit log, instead
  --fleet            three agents that share a token and an etcd beside one with a store of its own: rates, rotations, starts, and
                     what is refused when one of them or a member of etcd is killed, instead
  --issuers N        how many that is (default: 1000), or with --rotation how many there are at least
  --signatures N     how many that is (default: 1,000,000)
  --rotation         rates and latencies of signers while other issuers rotate, and how long a rotation takes, instead
  --tries N          how often a measurement is made again when something else used the processors meanwhile (default: 4)
  --json FILE        writes every figure there as well

Exit status: 0 measured, 1 could not be, 2 usage.
"""

import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time

from bench import ALGORITHMS, MOST_RAW, SUBJECTS, Bench, Case, cases
from failure import Failure
from faulty import FaultyModule
from fleet import run_fleet
from report import Results, Spread, progress, rates, table
from rotation import run_rotation
from scale import run_scale
from softhsm import Token

SLOW_SESSIONS, SLOW_SECONDS = 32, 0.005


class Options:
    rounds, seconds, tries, algorithms, only, json, mode = 5, 2.0, 4, ALGORITHMS, SUBJECTS, None, "rates"
    issuers, signatures = None, 1_000_000
    binaries = programs = None

    def __init__(self, arguments):
        arguments = list(arguments)
        while arguments:
            self.take(arguments.pop(0), arguments)

    def take(self, name, rest):
        if name == "--quick":
            self.rounds, self.seconds, self.signatures = 2, 0.5, 50_000
            self.issuers = self.issuers or 100
        elif name in ("--half-load", "--slow-token", "--scale", "--rotation", "--fleet"):
            self.mode = name[2:]
        elif name == "--check":
            pass  # Looked at by main.
        elif not rest:
            raise ValueError(name)
        elif name == "--rounds":
            self.rounds = number(rest.pop(0), int, 1)
        elif name == "--seconds":
            self.seconds = number(rest.pop(0), float, 0.1)
        elif name == "--issuers":
            self.issuers = number(rest.pop(0), int, 2, 100_000)
        elif name == "--signatures":
            self.signatures = number(rest.pop(0), int, 1_000, 1_000_000_000)
        elif name == "--tries":
            self.tries = number(rest.pop(0), int, 1)
        elif name == "--algorithms":
            self.algorithms = chosen(rest.pop(0), ALGORITHMS)
        elif name == "--only":
            self.only = chosen(rest.pop(0), SUBJECTS)
        elif name == "--json":
            self.json = rest.pop(0)
        elif name == "--bin":
            self.binaries = rest.pop(0)
        elif name == "--programs":
            self.programs = rest.pop(0)
        else:
            raise ValueError(name)


def number(text, kind, least, most=3600):
    value = kind(text)
    if not least <= value <= most:
        raise ValueError(text)
    return value


def chosen(text, known):
    wanted = text.split(",")
    if not set(wanted) <= set(known):
        raise ValueError(text)
    return [name for name in known if name in wanted]


def beside(case):
    """What a case is compared with."""
    alone = case.in_flight == 1 and case.connections <= MOST_RAW
    return {
        "raw": Case("raw", case.algorithm, case.connections if alone else MOST_RAW),
        "least": Case("least", case.algorithm, case.connections, case.in_flight),
    }


def run_rates(options, bench, results):
    wanted = [case for case in cases(options.algorithms, options.only) if bench.measures(case)]
    for round in range(options.rounds):
        progress(f"round {round + 1} of {options.rounds}: {len(wanted)} measurements")
        for case in wanted:
            results.add(case, round, bench.measure(case))
    for algorithm in options.algorithms:
        rates(results, beside, algorithm)
    return verdict(options, results)


def verdict(options, results):
    said = []
    for algorithm in options.algorithms:
        case = Case("privyseal", algorithm, 8)
        if case not in results.rounds:
            continue
        parts = []
        for what, other in [
            ("the raw token", Case("raw", algorithm, 8)), ("the least server", Case("least", algorithm, 8)),
            ("p11-kit, threads", Case("p11-kit", algorithm, 8)), ("p11-kit, processes", Case("p11-kit", algorithm, 8, 1, True)),
            ("ssh-agent", Case("ssh-agent", algorithm, 8)),
        ]:
            ratio = results.ratio(case, other)
            if ratio:
                parts.append(f"{ratio.median:.2f} × {what}")
        said.append(f"{algorithm} {', '.join(parts)}" if parts else f"{algorithm} {results.spread(case, 'rate').median:,.0f}/s")
        added = added_latency(results, algorithm)
        if added:
            said[-1] += f" (one client: p50 {added.median:+.0f} µs to the least server's)"
    return "with 8 clients " + "; ".join(said) if said else "measured"


def added_latency(results, algorithm):
    """Microseconds that one request at a time takes longer than with the least server, in the same round."""
    ours, least = (results.rounds.get(Case(subject, algorithm, 1)) for subject in ("privyseal", "least"))
    if not ours or not least:
        return None
    return Spread([ours[round]["p50"] - least[round]["p50"] for round in ours if round in least])


def run_half_load(options, bench, results):
    """At random moments, from 8 connections, half as many a second as the same connections get one after the other."""
    subjects = [subject for subject in ("least", "privyseal") if subject in options.only]
    for round in range(options.rounds):
        progress(f"round {round + 1} of {options.rounds}")
        for algorithm in options.algorithms:
            for subject in subjects:
                full = bench.measure(Case(subject, algorithm, 8))
                case = Case(subject, algorithm, 8, 16)
                measured = bench.measure(case, rate=full["rate"] / 2)
                results.add(case, round, {**measured, "saturated": full["rate"], "p99/p50": measured["p99"] / measured["p50"]})
    rows = [
        [
            f"{case.algorithm} {case.name}", results.spread(case, "saturated").text(0), results.spread(case, "rate").text(0),
            results.spread(case, "p50").text(0), results.spread(case, "p99").text(0), results.spread(case, "p99/p50").text(1),
            f"{results.spread(case, 'lateP99').median:,.0f}",
        ]
        for case in results.cases()
    ]
    print()
    table(["", "saturated/s", "offered/s", "p50 µs", "p99 µs", "p99/p50", "sent late, p99 µs"], rows)
    ours = [case for case in results.cases() if case.subject == "privyseal"]
    return "p99 at half load " + "; ".join(
        f"{case.algorithm} {results.spread(case, 'p99/p50').median:.1f} × p50" for case in ours
    )


def run_slow_token(options, bench, results):
    wanted = [Case("raw", "ES256", SLOW_SESSIONS), Case("privyseal", "ES256", 64), Case("privyseal", "ES256", 1, 128)]
    most = SLOW_SESSIONS / SLOW_SECONDS
    for round in range(options.rounds):
        progress(f"round {round + 1} of {options.rounds}")
        for case in wanted:
            results.add(case, round, bench.measure(case))
    rows = [
        [
            case.name, case.clients, results.spread(case, "rate").text(0), f"{results.spread(case, 'rate').median / most:.2f}",
            f"{results.spread(case, 'p50').median / 1000:.1f}", f"{results.spread(case, 'p99').median / 1000:.1f}",
        ]
        for case in wanted
    ]
    print()
    table(["ES256", "clients", "a second", f"of {most:,.0f}", "p50 ms", "p99 ms"], rows)
    shares = [results.spread(case, "rate").median / most for case in wanted[1:]]
    return f"of 32 sessions of 5 ms, 64 connections use {shares[0]:.2f}, one that pipelines {shares[1]:.2f}"


def run(options, directory):
    results, load = Results(), os.getloadavg()[0]
    whole = {"scale": run_scale, "rotation": run_rotation, "fleet": run_fleet}.get(options.mode)
    if whole:
        print(f"{os.cpu_count()} processors, load {load:.1f} before; {options.rounds} rounds of {options.seconds:g} s")
        line = whole(options, directory, results)
    else:
        line = run_bench(options, directory, results, load)
    disturbed, all = results.disturbed()
    if disturbed:
        print(f"\nnote: during {disturbed} of {all} measurements something else used the processors: ratios are less certain")
    if options.json:
        written = {
            "what": options.mode, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "rounds": options.rounds,
            "seconds": options.seconds,
            "machine": {"processors": os.cpu_count(), "kernel": platform.release(), "loadBefore": load},
            "results": results.json(beside), **({"facts": results.facts} if results.facts else {}),
        }
        with open(options.json, "w") as file:
            json.dump(written, file, indent=1)
            file.write("\n")
    return line


def run_bench(options, directory, results, load):
    token = Token(directory, options.programs)
    module, settings, algorithms, only = None, {}, options.algorithms, options.only
    if options.mode == "slow-token":
        # The delay is the token's, for the agent and for the bare token alike.
        module = FaultyModule(options.programs, token, f"C_Sign delay={SLOW_SECONDS * 1000:.0f}ms\n").path
        settings = {"signing": {"sessions": SLOW_SESSIONS}}
        algorithms, only = ["ES256"], ["raw", "privyseal"]
    elif options.mode == "half-load":
        only = [subject for subject in options.only if subject in ("least", "privyseal")]
    bench = Bench(options.programs, options.binaries, token, algorithms, only, options.seconds, options.tries, module, settings)
    try:
        for line in bench.left_out:
            print(line)
        print(
            f"{os.cpu_count()} processors, load {load:.1f} before; {options.rounds} rounds of {options.seconds:g} s; "
            f"a request of {os.path.getsize(bench.agent.requests[algorithms[0]])} bytes, replies of "
            + ", ".join(f"{size} ({algorithm})" for algorithm, size in bench.agent.reply_bytes.items())
        )
        return {"rates": run_rates, "half-load": run_half_load, "slow-token": run_slow_token}[options.mode](
            options, bench, results
        )
    finally:
        bench.stop()


def main(arguments):
    if "--help" in arguments:
        print(__doc__, end="")
        return 0
    try:
        options = Options(arguments)
    except ValueError as error:
        print(f"error: {error} is not understood\nhint: see scripts/bench --help", file=sys.stderr)
        return 2
    if "--check" in arguments:
        return 0
    # So that everything started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = tempfile.mkdtemp(prefix="privyseal-bench-")
    try:
        print(f"\nok: {run(options, directory)}" + (f"; written to {options.json}" if options.json else ""))
        return 0
    except Failure as failure:
        print(f"error: {failure}\nhint: {failure.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted\nhint: nothing is left running", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


sys.exit(main(sys.argv[1:]))
