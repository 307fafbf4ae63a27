"""Reads claims as Python does: its dict, and dicts of those who look names up without regard to case."""

import base64
import json
import sys

VIEWS = {"dict": str, "lower": str.lower, "upper": str.upper, "casefold": str.casefold}


def read(text, fold):
    """The members of the outermost object by folded name, the last of each, and how many members there are at all depths."""
    members = 0

    def keep(pairs):
        nonlocal members
        kept = {fold(name): (name, value) for name, value in pairs}
        members += len(kept)
        return kept

    return json.loads(text, object_pairs_hook=keep), members


def field(claims, name, fold):
    if fold(name) not in claims:
        return "-"
    value = claims[fold(name)][1]
    if name in ("exp", "nbf", "iat"):
        return str(value)
    if name == "aud" and isinstance(value, list):
        return ",".join(one.encode().hex() for one in value)
    return value.encode().hex()


def reading(text, fold):
    try:
        claims, members = read(text, fold)
        fields = [f"{name}={field(claims, name, fold)}" for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "jti")]
        names = ",".join(sorted(name.encode().hex() for name, _ in claims.values()))
        return " ".join(fields + [f"members={members}", f"names={names}"])
    except (ValueError, AttributeError, RecursionError):
        return "refused"


if sys.argv[1:] == ["--pairs"]:
    # Names of one character, and what they are to those who do not regard case.
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        name = chr(code)
        for other in {name.lower(), name.upper(), name.casefold(), name.title()} - {name}:
            print(name.encode().hex(), other.encode().hex())
    sys.exit()

for line in sys.stdin:
    text = base64.b64decode(line)
    print("\t".join(f"{view}:{reading(text, fold)}" for view, fold in VIEWS.items()), flush=True)
