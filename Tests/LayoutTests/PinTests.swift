import Foundation
import Testing

/// What a build takes in is what the manifests say: SwiftPM's own record of it, Package.resolved, is not kept.
@Suite("The packages of a build")
struct PinTests {
    /// A package's manifest, and the directories that builds of it are made in.
    struct Manifest: Sendable, CustomTestStringConvertible {
        let path: String
        /// Made by the build of these tests; it has to be there.
        var ownBuildDirectory: String?
        let otherBuildDirectories: [String]

        var testDescription: String { path }

        private var file: URL { SourceTree.root.appendingPathComponent(path) }

        func text() throws -> String {
            try String(contentsOf: file, encoding: .utf8)
        }

        /// What SwiftPM has noted in the build directories. One that was made before a manifest changed says nothing.
        func records() throws -> [URL] {
            func record(_ directory: String) -> URL {
                SourceTree.root.appendingPathComponent(directory).appendingPathComponent("workspace-state.json")
            }
            func changed(_ file: URL) throws -> Date {
                try #require(file.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate)
            }
            let manifests = try max(changed(file), changed(SourceTree.root.appendingPathComponent("Package.swift")))
            return try (ownBuildDirectory.map { [record($0)] } ?? [])
                + otherBuildDirectories.map(record).filter {
                    try FileManager.default.fileExists(atPath: $0.path) && changed($0) > manifests
                }
        }

        /// The version of each repository, `owner/name`, in the table of the manifest.
        func pins() throws -> [String: String] {
            let rows = try text().matches(of: /\n    "([\w.-]+\/[\w.-]+)": "([^"]+)",/)
            return Dictionary(uniqueKeysWithValues: rows.map { (String($0.output.1), String($0.output.2)) })
        }
    }

    static let root = Manifest(
        path: "Package.swift", ownBuildDirectory: ".build", otherBuildDirectories: [".build-thread", ".build-address"])
    static let others = [
        Manifest(path: "Benchmarks/Package.swift", otherBuildDirectories: [".build-benchmarks"]),
        Manifest(path: "Fuzz/Package.swift", otherBuildDirectories: [".build-fuzz"]),
    ]

    @Test("are named with one exact version each, and in no other way", arguments: [root] + others)
    func exact(manifest: Manifest) throws {
        let pins = try manifest.pins()
        #expect(pins.count > 10)
        for (repository, version) in pins {
            #expect(version.wholeMatch(of: /\d+\.\d+\.\d+/) != nil, "\(repository) is not at one version: \(version)")
        }
        let text = try manifest.text()
        #expect(text.matches(of: /\.package\(\s*url:/).count == 1, "one line makes dependencies of the table")
        #expect(text.contains(#"url: "https://github.com/\(repository)", exact: version"#))
        #expect(!text.contains(/\b(?:from|branch|revision):|\.upToNext|\.\.[.<]/), "a range, or what moves")
    }

    @Test(
        "have the same versions wherever they are named, and are all pinned for the packages that use this one", arguments: others
    )
    func same(manifest: Manifest) throws {
        let (pins, root) = (try manifest.pins(), try Self.root.pins())
        for (repository, version) in pins { #expect(root[repository] ?? version == version, "\(repository) differs") }
        // What the targets of this package name counts in theirs as well; its other pins do not.
        let named = Set(try Self.root.text().matches(of: /package: "([^"]+)"\)/).map { String($0.output.1) })
        let unnamed = root.keys.filter { !named.contains(String($0.drop { $0 != "/" }.dropFirst())) }
        #expect(!unnamed.isEmpty)
        #expect(Set(unnamed).subtracting(pins.keys).isEmpty, "not pinned in \(manifest.path)")
    }

    @Test("are, as they were last taken in, the pinned ones and no others", arguments: [root] + others)
    func resolved(manifest: Manifest) throws {
        var pins = try manifest.pins()
        if manifest.path != Self.root.path { pins.merge(try Self.root.pins()) { own, _ in own } }
        let versions = Dictionary(
            uniqueKeysWithValues: pins.map { ($0.key.drop { $0 != "/" }.dropFirst().lowercased(), $0.value) })
        for record in try manifest.records() {
            let resolved = try JSONDecoder().decode(WorkspaceState.self, from: Data(contentsOf: record)).packages
            #expect(!resolved.isEmpty)
            for (identity, version) in resolved {
                #expect(versions[identity] == version, "\(identity) \(version) in \(record.path) is not what is pinned")
            }
        }
    }
}

/// What SwiftPM notes in a build directory about the packages it has taken in.
private struct WorkspaceState: Decodable {
    struct Dependency: Decodable {
        struct Reference: Decodable { let identity: String; let kind: String }
        struct State: Decodable { let checkoutState: CheckoutState? }
        struct CheckoutState: Decodable { let version: String?; let revision: String }
        let packageRef: Reference
        let state: State
    }
    struct Object: Decodable { let dependencies: [Dependency] }
    let object: Object

    /// The version of each package, by its identity; the commit where it has none. Without those in directories beside.
    var packages: [(identity: String, version: String)] {
        object.dependencies.filter { $0.packageRef.kind != "fileSystem" && $0.packageRef.kind != "root" }
            .map { ($0.packageRef.identity, $0.state.checkoutState.map { $0.version ?? $0.revision } ?? "?") }
    }
}
