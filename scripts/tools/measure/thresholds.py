"""The instruction counts that no step may go much beyond. Counts of another source, compiler or machine do not compare."""

import json

from failure import Failure

UPDATE = "scripts/bench-steps --update"


class Thresholds:
    path = "Benchmarks/step-thresholds.json"

    def __init__(self, description):
        """`description`: where the counts come from that are to be compared: source, toolchain and machine."""
        self.description = description
        try:
            with open(self.path) as file:
                self.written = json.load(file)
        except ValueError as error:
            raise Failure(f"{self.path} is not JSON: {error}", "take it back to what is committed")
        self.tolerance = self.written["tolerance"]
        self.kept = next((of["instructions"] for of in self.written["thresholds"] if self.is_of_same_origin(of)), {})

    def is_of_same_origin(self, thresholds):
        return all(thresholds[name] == value for name, value in self.description.items())

    def compare(self, counts):
        """Returns what to say of counts that are within their thresholds."""
        if not self.kept:
            origin = ", ".join(self.description.values())
            raise Failure(f"there are no thresholds for counts by {origin}, so nothing was compared", f"{UPDATE} writes them")
        unknown = [name for name in counts if name not in self.kept]
        if unknown:
            raise Failure(f"{', '.join(unknown)} has no threshold", f"{UPDATE} --only {','.join(unknown)} writes it")
        dearer = [name for name in counts if counts[name] > self.kept[name] * (1 + self.tolerance)]
        if dearer:
            said = "; ".join(f"{name} takes {counts[name]:,} instructions, {self.kept[name]:,} before" for name in dearer)
            raise Failure(f"a step got dearer: {said}", f"make it cheaper again, or accept it with {UPDATE} --only {','.join(dearer)}")
        cheaper = [name for name in counts if counts[name] < self.kept[name] * (1 - self.tolerance)]
        said = f"{len(counts)} steps within {self.tolerance * 100:g} % of their thresholds"
        return f"{said}; {', '.join(cheaper)} got cheaper: {UPDATE} keeps it so" if cheaper else said

    def update(self, counts, names):
        """Writes the counts. `names`: every step there is, others being forgotten; None when only some were counted."""
        kept = {name: count for name, count in self.kept.items() if names is None or name in names}
        entry = {**self.description, "instructions": {**kept, **counts}}
        others = [of for of in self.written["thresholds"] if not self.is_of_same_origin(of)]
        with open(self.path, "w") as file:
            json.dump({"tolerance": self.tolerance, "thresholds": [*others, entry]}, file, indent=2)
            file.write("\n")
