"""Agents that do one thing wrongly on purpose, for the campaign that must find that out.

Nothing of it is in the product: a mutant is made in a copy of the sources, by replacing one piece of text that stands there once.

usage: mutant.py check                 whether every piece is still there, once
       mutant.py NAME DIRECTORY        makes the mutant of the sources in a directory
"""

import pathlib
import sys

MUTANTS = {
    # It signs however long ago the store confirmed what it goes by.
    "no-fence": (
        "Sources/Agent/HSM/SigningFence.swift",
        "end = Atomic(isShared ? 0 : Int64.max)",
        "end = Atomic(Int64.max)",
    ),
    # It drops a retiring key by its own wall clock, whatever the others' and the one that nobody sets say.
    "wrong-clock": (
        "Sources/Agent/Keys/IssuerRegistry+Time.swift",
        "return clockDoubt == nil ? now : nil",
        "return now",
    ),
    # As long as no watch tells it of a change, it takes what it goes by for confirmed.
    "trusts-watch": (
        "Sources/Agent/Fleet/StoreFollower.swift",
        "let reading = try await store.head()",
        'let reading = HeadReading(head: view.head ?? StoreHead(id: "", revision: 0), sentAt: clock.monotonic())',
    ),
}


def read(name, directory):
    path, old, new = MUTANTS[name]
    file = pathlib.Path(directory) / path
    text = file.read_text()
    if text.count(old) != 1:
        sys.exit(f"error: {path} has {text.count(old)} times what the mutant {name} replaces: {old}\nhint: see {__file__}")
    return file, text.replace(old, new)


def main():
    match sys.argv[1:]:
        case ["check"]:
            for name in MUTANTS:
                read(name, pathlib.Path(__file__).parents[2])
        case [name, directory] if name in MUTANTS:
            file, text = read(name, directory)
            file.write_text(text)
        case _:
            sys.exit(__doc__.rsplit("\n\n", 1)[1])


if __name__ == "__main__":
    main()
