"""usage: scripts/bench-steps [--only STEP,...] [--update] [--json FILE]

Counts the instructions of each step of a signature, built for release, and compares them with the thresholds kept in
Benchmarks/step-thresholds.json: a step that takes more than its threshold and the tolerance fails the run. Counts by the
processor's counters where it has them, otherwise with callgrind (Debian package valgrind). docs/benchmarks.md says what
each step is.

  --only LIST  counts and compares these steps (default: all of them)
  --update     writes what was counted to the thresholds, instead of comparing
  --json FILE  writes every figure there as well

Builds into .build-benchmarks. Exit status: 0 no step got dearer, 1 one did, or nothing could be compared, 2 usage.
"""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import callgrind
import counters
from failure import Failure
from report import table
from thresholds import Thresholds


HELP = "see scripts/bench-steps --help"


class Misuse(Failure):
    """An option is wrong."""


class Options:
    only = json = binaries = None
    update = is_check = False

    def __init__(self, arguments):
        arguments = list(arguments)
        while arguments:
            name = arguments.pop(0)
            if name == "--update":
                self.update = True
            elif name == "--check":
                self.is_check = True
            elif name not in ("--only", "--json", "--bin"):
                raise Misuse(f"{name} is no option", HELP)
            elif not arguments:
                raise Misuse(f"{name} wants a value", HELP)
            elif name == "--only":
                self.only = arguments.pop(0).split(",")
            elif name == "--json":
                self.json = writable(arguments.pop(0))
            else:
                self.binaries = arguments.pop(0)


class Step(NamedTuple):
    name: str
    is_on_one_thread: bool
    summary: str


def writable(path):
    try:
        open(path, "a").close()
    except OSError as error:
        raise Misuse(f"{path} cannot be written: {error.strerror}", "name another file with --json")
    return path


def every_step(binaries):
    listed = subprocess.run([f"{binaries}/repeat-step", "--list"], check=True, capture_output=True, text=True).stdout
    rows = [line.split("\t") for line in listed.splitlines()]
    return [Step(name, threads == "one", summary) for name, threads, summary in rows]


def chosen(steps, only):
    unknown = set(only or []) - {step.name for step in steps}
    if unknown:
        raise Misuse(f"there is no step {', '.join(sorted(unknown))}", f"the steps are {', '.join(step.name for step in steps)}")
    return [step for step in steps if only is None or step.name in only]


def change(count, threshold):
    return f"{(count / threshold - 1) * 100:+.1f} %" if threshold else ""


def show(steps, counts, kept):
    rows = [
        [step.name, f"{counts[step.name]:,}", f"{kept[step.name]:,}" if step.name in kept else "",
         change(counts[step.name], kept.get(step.name))]
        for step in steps if step.name in counts
    ]
    table(["step", "instructions", "threshold", "change"], rows)
    for step in steps:
        if step.name not in counts:
            print(f"note: {step.name} is not counted: benchmarks see one of its threads only")


def write(path, source, steps, counts, kept, tolerance):
    figures = [
        {"step": step.name, "what": step.summary, "instructions": counts[step.name], "threshold": kept.get(step.name)}
        for step in steps if step.name in counts
    ]
    with open(path, "w") as file:
        json.dump({**source.description, "tolerance": tolerance, "steps": figures}, file, indent=1)
        file.write("\n")


def run(options, source):
    every = every_step(options.binaries)
    steps = chosen(every, options.only)
    thresholds = Thresholds(source.description)
    print(f"counting {len(steps)} steps with {source.name}", file=sys.stderr, flush=True)
    counts = source.count(options.binaries, steps)
    kept = dict(thresholds.kept)
    show(steps, counts, kept)
    if options.json:
        write(options.json, source, steps, counts, kept, thresholds.tolerance)
    if options.update:
        thresholds.update(counts, names=None if options.only else [step.name for step in every])
        return f"{len(counts)} thresholds are written to {thresholds.path}"
    return thresholds.compare(counts)


def main(arguments):
    if "--help" in arguments or "-h" in arguments:
        print(__doc__, end="")
        return 0
    try:
        options = Options(arguments)
        source = counters.Counters() if counters.are_there() else callgrind.Callgrind()
        if options.is_check:
            return 0
        print(f"ok: {run(options, source)}" + (f"; written to {options.json}" if options.json else ""))
        return 0
    except Failure as failure:
        print(f"error: {failure}\nhint: {failure.hint}", file=sys.stderr)
        return 2 if isinstance(failure, Misuse) else 1
    except KeyboardInterrupt:
        print("error: interrupted\nhint: nothing has been compared or written", file=sys.stderr)
        return 1


os.chdir(os.path.dirname(os.path.abspath(__file__)) + "/../../..")
sys.exit(main(sys.argv[1:]))
