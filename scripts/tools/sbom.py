"""Lists what the built programs are made of, as a CycloneDX bill of materials."""
import argparse
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = ["privyseal", "privyseal-issuer", "privyseald"]
SPECIFICATION = "1.6"


class Failure(Exception):
    """What went wrong, and what to do about it."""


def output(*command):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    except FileNotFoundError:
        raise Failure(f"{command[0]} is not installed", "scripts/bootstrap installs what is missing")
    except subprocess.CalledProcessError as error:
        raise Failure(f"{' '.join(map(str, command))}: {error.stderr.strip()}", "see the line above")


def sha256(path):
    with open(path, "rb") as file:
        return [{"alg": "SHA-256", "content": hashlib.file_digest(file, "sha256").hexdigest()}]


def licences(directory):
    """The licence that the file of a checkout gives, where it is one that is known word for word; otherwise none."""
    for file in sorted(directory.glob("LICEN[CS]E*")):
        text = " ".join(file.read_text(errors="replace").split())
        if "Apache License Version 2.0, January 2004" in text:
            if "Runtime Library Exception to the Apache 2.0 License" in text:
                return [{"expression": "Apache-2.0 WITH Swift-exception"}]
            return [{"license": {"id": "Apache-2.0"}}]
        if "Permission is hereby granted, free of charge, to any person obtaining a copy" in text:
            return [{"license": {"id": "MIT"}}]
    return []


def source(repository, revision):
    """The elements of a component that say where its source is."""
    return {
        "externalReferences": [{"type": "vcs", "url": repository}],
        "pedigree": {"commits": [{"uid": revision, "url": repository}]},
    }


def vendored(package, checkout):
    """C libraries whose source a package carries, with the version that its files name."""
    for file in sorted(checkout.glob("Sources/*/hash.txt")):
        found = re.search(r"cloned from (https://\S+/boringssl) at revision ([0-9a-f]{40})", file.read_text())
        if found:
            url, revision = found.groups()
            yield {
                "type": "library", "bom-ref": f"{package}#boringssl", "name": "boringssl", "version": revision,
                "purl": f"pkg:generic/boringssl@{revision}?vcs_url={quote(f'git+{url}@{revision}', safe='')}",
                **source(url, revision),
            }
    for file in sorted(checkout.glob("Sources/*/include/*llhttp.h")):
        numbers = dict(re.findall(r"#define LLHTTP_VERSION_(MAJOR|MINOR|PATCH) (\d+)", file.read_text()))
        if len(numbers) == 3:
            version = ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))
            yield {
                "type": "library", "bom-ref": f"{package}#llhttp", "name": "llhttp", "version": version,
                "purl": f"pkg:github/nodejs/llhttp@v{version}",
            }


class Build:
    """What SwiftPM left in a build directory: the packages it took in, and what each program was linked from."""

    def __init__(self, programs):
        self.programs = programs.resolve()
        self.directory = self.programs.parent.parent
        for name in PROGRAMS:
            if not (self.programs / name).is_file():
                raise Failure(f"{name} is not in {programs}", "build it first: scripts/build")
        try:
            state = json.loads((self.directory / "workspace-state.json").read_text())
            manifest = (self.directory / f"{self.programs.name}.yaml").read_text()
        except OSError as error:
            raise Failure(f"{error.filename} cannot be read", "give the directory that swift build made, with the programs in it")
        self.resolved = {
            dependency["subpath"]: {
                "url": dependency["packageRef"]["location"].removesuffix(".git"),
                "checkout": self.directory / "checkouts" / dependency["subpath"],
                **dependency["state"]["checkoutState"],
            }
            for dependency in state["object"]["dependencies"]
        }
        self.packages, self.uses = self.modules(manifest)

    def modules(self, manifest):
        """The package of each module, none for the product's own, and the modules that each is compiled with."""
        packages, uses = {}, {}
        commands = re.findall(r"^    inputs: (\[.*\])\n    outputs: (\[.*\])$", manifest, re.MULTILINE)
        for inputs, outputs in (map(json.loads, command) for command in commands):
            compiled = {Path(file).relative_to(self.programs).parts[0].removesuffix(".build")
                        for file in outputs if file.endswith(".o") and file.startswith(f"{self.programs}/")}
            checkouts = {Path(file).relative_to(self.directory / "checkouts").parts[0]
                         for file in inputs if file.startswith(f"{self.directory}/checkouts/")}
            for module in compiled:
                if checkouts:
                    packages[module] = checkouts.pop()
                uses.setdefault(module, set()).update(Path(file).stem for file in inputs if file.endswith(".swiftmodule"))
        return packages, uses

    def linked(self, program):
        """The modules that a program consists of."""
        objects = (self.programs / f"{program}.product" / "Objects.LinkFileList").read_text().split("\n")
        return {part.removesuffix(".build") for line in objects for part in line.strip("'\"").split("/") if part.endswith(".build")
                and part != ".build"}

    def used_by(self, modules):
        """The packages that some modules are compiled with, without their own."""
        own = {self.packages.get(module) for module in modules}
        return {self.packages[used] for module in modules for used in self.uses.get(module, ()) if used in self.packages} - own


def package_components(build, linked):
    for name, resolved in sorted(build.resolved.items(), key=lambda item: item[0].lower()):
        checkout = resolved["checkout"]
        version = resolved.get("version") or resolved["revision"]
        purl = f"pkg:swift/{resolved['url'].removeprefix('https://')}@{version}"
        users = [program for program in PROGRAMS if name in linked[program]]
        inside = list(vendored(purl, checkout))
        yield name, {
            "type": "library", "bom-ref": purl, "group": resolved["url"].split("/")[-2], "name": resolved["url"].split("/")[-1],
            "version": version, "purl": purl,
            # What is taken in and in none of the programs is for the tests, or comes along unused.
            "scope": "required" if users else "excluded",
            **({"licenses": found} if (found := licences(checkout)) else {}),
            **source(resolved["url"], resolved["revision"]),
            **({"components": inside} if inside else {}),
            "properties": [{"name": "privyseal:linkedInto", "value": program} for program in users],
        }


def libraries(program):
    """The shared libraries that the loader finds for a program."""
    for line in output("ldd", program).splitlines():
        if "not found" in line:
            raise Failure(f"{program.name}: {line.strip()}", "install what is missing, or give the programs another directory")
        found = re.search(r"(/\S+) \(0x", line)
        if found:
            yield found.group(1)


@functools.cache
def debian_package(library):
    """The name of the Debian package that a library is of; none when it is of none."""
    real = os.path.realpath(library)
    # A package may have been made when /lib was a directory of its own.
    for path in dict.fromkeys([real, real.removeprefix("/usr"), library, f"/usr{library}"]):
        found = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(": ")[0]
    return None


def debian_component(package):
    system = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    fields = output("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}", package)
    name, version, architecture, source_name, source_version = fields.split("\t")
    purl = (f"pkg:deb/{system['ID']}/{quote(name, safe='')}@{quote(version, safe='')}?arch={architecture}"
            f"&distro={system['ID']}-{system.get('VERSION_ID', '')}".rstrip("-"))
    return {
        "type": "library", "bom-ref": purl, "group": system["ID"], "name": name, "version": version, "purl": purl, "scope": "required",
        "properties": [{"name": "debian:source", "value": source_name}, {"name": "debian:sourceVersion", "value": source_version}],
    }


def swift_runtime(files):
    """The libraries of the toolchain: those beside it that are loaded, or what is linked in from them."""
    version = re.search(r"Swift version (\S+) \(([^)]+)\)", output("swift", "--version"))
    if not version:
        raise Failure("swift --version cannot be understood", "check the installation of Swift")
    purl = f"pkg:github/swiftlang/swift@{version.group(2)}"
    return {
        "type": "framework", "bom-ref": purl, "name": "swift", "version": version.group(1), "purl": purl, "scope": "required",
        "licenses": [{"expression": "Apache-2.0 WITH Swift-exception"}],
        **({"components": [
            {"type": "file", "bom-ref": f"{purl}#{file.name}", "name": file.name, "hashes": sha256(file)} for file in sorted(files)
        ]} if files else {}),
    }


def bill(build):
    linked = {program: build.linked(program) for program in PROGRAMS}
    packages = dict(package_components(
        build, {program: {build.packages.get(module) for module in modules} for program, modules in linked.items()}))
    debian, of_toolchain, depends = {}, set(), {}
    for program in PROGRAMS:
        own = {module for module in linked[program] if module not in build.packages}
        depends[program] = {packages[name]["bom-ref"] for name in build.used_by(own)}
        for library in libraries(build.programs / program):
            package = debian_package(library)
            if package:
                debian.setdefault(package, debian_component(package))
                depends[program].add(debian[package]["bom-ref"])
            elif "/swift/" in library:
                of_toolchain.add(Path(library))
            else:
                raise Failure(f"{program} loads {library}, which is of no package", "install the library from a package")
    runtime = swift_runtime(of_toolchain)
    version = re.search(r'agent = "([^"]+)"', (ROOT / "Sources/AgentProtocol/ProtocolVersion.swift").read_text()).group(1)
    product = {"type": "application", "bom-ref": "privyseal", "name": "PrivySeal", "version": version}
    programs = [
        {"type": "application", "bom-ref": f"program:{name}", "name": name, "version": version, "hashes": sha256(build.programs / name)}
        for name in PROGRAMS
    ]
    relations = {"privyseal": {program["bom-ref"] for program in programs}, runtime["bom-ref"]: set()}
    relations |= {f"program:{name}": depends[name] | {runtime["bom-ref"]} for name in PROGRAMS}
    relations |= {component["bom-ref"]: set() for component in debian.values()}
    in_programs = set().union(*linked.values())
    for name, component in packages.items():
        modules = {module for module, package in build.packages.items() if package == name}
        # Of a package that is in a program, what is not in any counts for nothing.
        modules = modules & in_programs or modules
        relations[component["bom-ref"]] = {packages[used]["bom-ref"] for used in build.used_by(modules)}
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX", "specVersion": SPECIFICATION, "version": 1,
        "metadata": {"component": {**product, "components": programs}},
        "components": [*packages.values(), *sorted(debian.values(), key=lambda component: component["name"]), runtime],
        "dependencies": [{"ref": ref, "dependsOn": sorted(uses)} for ref, uses in sorted(relations.items())],
    }


def dated(bill):
    """With a serial number that is the same for the same contents, and the time: SOURCE_DATE_EPOCH where that is set."""
    contents = json.dumps(bill, sort_keys=True)
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc) if "SOURCE_DATE_EPOCH" in os.environ \
        else datetime.now(timezone.utc)
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, contents)}"
    bill["metadata"] = {"timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), **bill["metadata"]}
    return bill


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/sbom", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Lists what the built programs are made of, as a CycloneDX bill of materials (JSON): every Swift package that\n"
        "was taken in, with version, licence and commit, and whether a program has any of it; the C libraries that\n"
        "packages carry; the Debian packages whose libraries the programs load; and Swift's runtime.")
    parser.add_argument("--bin", default=".build/debug", type=Path, metavar="DIR",
                        help="where swift build has put the programs (default: .build/debug)")
    parser.add_argument("--output", metavar="FILE", help="where to write (default: standard output)")
    arguments = parser.parse_args()
    try:
        programs = arguments.bin if arguments.bin != Path(".build/debug") else ROOT / arguments.bin
        text = json.dumps(dated(bill(Build(programs))), indent=2) + "\n"
        if arguments.output:
            Path(arguments.output).write_text(text)
        else:
            sys.stdout.write(text)
    except Failure as failure:
        message, hint = failure.args
        sys.exit(f"error: {message}\nhint: {hint}")
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}\nhint: check the path")


if __name__ == "__main__":
    main()
