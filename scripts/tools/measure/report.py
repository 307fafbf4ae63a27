"""Medians, spread and ratios of what several rounds have measured."""

import statistics
import sys

from bench import DISTURBANCE

NUMBERS = ["rate", "p50", "p99", "serverProcessor", "clientProcessor"]


class Spread:
    def __init__(self, values):
        self.median, self.least, self.most = statistics.median(values), min(values), max(values)

    def text(self, digits):
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f}–{self.most:,.{digits}f})"

    def json(self):
        return {"median": self.median, "least": self.least, "most": self.most}


class Results:
    """The measurements of every case, by round."""

    def __init__(self):
        self.rounds = {}
        # What is no rate, by name: the values of all rounds, or one value.
        self.facts = {}

    def note(self, name, value):
        self.facts.setdefault(name, []).append(value)

    def fact(self, name):
        return Spread(self.facts[name])

    def add(self, case, round, measured):
        self.rounds.setdefault(case, {})[round] = measured

    def cases(self):
        return list(self.rounds)

    def spread(self, case, number):
        return Spread([measured[number] for measured in self.rounds[case].values()])

    def ratio(self, case, other, number="rate"):
        """How many times the other's, of the same round each; None when the other was not measured."""
        others = self.rounds.get(other, {})
        both = [(measured, others[round]) for round, measured in self.rounds[case].items() if round in others]
        return Spread([mine[number] / theirs[number] for mine, theirs in both]) if both else None

    def disturbed(self):
        """How many measurements something else disturbed, and how many there are."""
        others = [measured["others"] for rounds in self.rounds.values() for measured in rounds.values()]
        return sum(share > DISTURBANCE for share in others), len(others)

    def json(self, base):
        def one(case):
            compared = {name: self.ratio(case, other) for name, other in base(case).items()}
            numbers = {name for measured in self.rounds[case].values() for name in measured}
            return {
                "subject": case.name, "algorithm": case.algorithm, "connections": case.connections, "inFlight": case.in_flight,
                **{number: self.spread(case, number).json() for number in sorted(numbers)},
                "ratios": {name: spread.json() for name, spread in compared.items() if spread},
                "rounds": [self.rounds[case][round] for round in sorted(self.rounds[case])],
            }

        return [one(case) for case in self.rounds]


def progress(text):
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def table(headings, rows):
    """The first two columns to the left, numbers to the right."""
    widths = [max(len(row[place]) for row in [headings, *rows]) for place in range(len(headings))]
    for row in [headings, *rows]:
        cells = [cell.ljust(width) if place == 0 else cell.rjust(width) for place, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def rates(results, base, algorithm):
    def row(case):
        ratios = base(case)
        spread = {number: results.spread(case, number) for number in NUMBERS}
        raw, least = (results.ratio(case, ratios[name]) if name in ratios else None for name in ("raw", "least"))
        server = spread["serverProcessor"].median
        return [
            case.name, case.clients, spread["rate"].text(0), f"{spread['p50'].median:,.0f}", f"{spread['p99'].median:,.0f}",
            f"{server:,.0f}" if server else "", f"{spread['clientProcessor'].median:,.0f}",
            raw.text(2) if raw and case.subject not in ("raw", "socket") else "",
            least.text(2) if least and case.subject == "privyseal" else "",
        ]

    print(f"\n{algorithm}")
    table(
        ["", "clients", "a second", "p50 µs", "p99 µs", "server µs", "client µs", "× raw", "× least"],
        [row(case) for case in results.cases() if case.algorithm == algorithm],
    )
