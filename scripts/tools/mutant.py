"""Agents that do one thing wrongly on purpose, for the campaign that must find that out.

Nothing of it is in the product: a mutant is made in a copy of the sources, by replacing pieces of text that stand there once.

usage: mutant.py check                 whether every piece is still there, once
       mutant.py NAME DIRECTORY        makes the mutant of the sources in a directory
       mutant.py rules NAME            what it is found as, names with | in between
"""

import pathlib
import sys

STALE = "old-key-after-rotation|signed-after-revocation"

# What each is found as, and what is replaced by what in which file.
MUTANTS = {
    # It signs however long ago the store confirmed what it goes by.
    "no-fence": (
        STALE,
        [
            (
                "Sources/Agent/HSM/SigningFence.swift",
                "end = Atomic(isShared ? 0 : Int64.max)",
                "end = Atomic(Int64.max)",
            )
        ],
    ),
    # It drops a retiring key by its own wall clock, whatever the others' and the one that nobody sets say.
    "wrong-clock": (
        "key-gone|dropped-early",
        [
            (
                "Sources/Agent/Keys/IssuerRegistry+Time.swift",
                "return clockDoubt == nil ? now : nil",
                "return now",
            ),
            (
                "Sources/Agent/AgentServer.swift",
                "let clock = fleet?.time.bounding(environment.clock) ?? environment.clock",
                "let clock = environment.clock",
            ),
        ],
    ),
    # As long as no watch tells it of a change, it takes what it goes by for confirmed.
    "trusts-watch": (
        STALE,
        [
            (
                "Sources/Agent/Fleet/StoreFollower.swift",
                "let reading = try await store.head()",
                "let reading = try await { () async throws in\n"
                '                HeadReading(head: view.head ?? StoreHead(id: "", revision: 0), sentAt: clock.monotonic())\n'
                "            }()",
            )
        ],
    ),
}


def make(name, directory):
    """The changed texts by file; ends where a piece is not there once."""
    texts = {}
    for path, old, new in MUTANTS[name][1]:
        file = pathlib.Path(directory) / path
        text = texts.get(file) or file.read_text()
        if text.count(old) != 1:
            sys.exit(f"error: {path} has {text.count(old)} times what the mutant {name} replaces: {old}\nhint: see {__file__}")
        texts[file] = text.replace(old, new)
    return texts


def main():
    match sys.argv[1:]:
        case ["check"]:
            for name in MUTANTS:
                make(name, pathlib.Path(__file__).parents[2])
        case ["rules", name] if name in MUTANTS:
            print(MUTANTS[name][0])
        case [name, directory] if name in MUTANTS:
            for file, text in make(name, directory).items():
                file.write_text(text)
        case _:
            sys.exit(__doc__.rsplit("\n\n", 1)[1])


if __name__ == "__main__":
    main()
