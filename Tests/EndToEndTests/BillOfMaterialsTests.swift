import Foundation
import Testing

@Suite("scripts/sbom")
struct BillOfMaterialsTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// CycloneDX's schemas, where scripts/bootstrap puts them; they come from PyPI, which not every machine reaches.
    private static let schemas = root + "/.build/cyclonedx"

    private struct Bill: Decodable {
        struct Component: Decodable {
            struct Hash: Decodable { let alg: String; let content: String }
            let name: String
            let group: String?
            let version: String?
            let purl: String?
            let scope: String?
            let reference: String
            let licenses: [[String: JSON]]?
            let hashes: [Hash]?
            let components: [Component]?

            enum CodingKeys: String, CodingKey {
                case name, group, version, purl, scope, licenses, hashes, components
                case reference = "bom-ref"
            }
        }
        /// Of a licence, only that there is one counts here.
        struct JSON: Decodable { init(from decoder: any Decoder) {} }
        struct Dependency: Decodable { let ref: String; let dependsOn: [String] }
        struct Metadata: Decodable { let component: Component; let timestamp: String }

        let serialNumber: String
        let metadata: Metadata
        let components: [Component]
        let dependencies: [Dependency]

        func dependencies(of program: String) -> [String] {
            dependencies.first { $0.ref == "program:\(program)" }?.dependsOn ?? []
        }
    }

    private func run(_ arguments: String..., moment: String = "1800000000") async throws -> Programs.Outcome {
        let path = try #require(ProcessInfo.processInfo.environment["PATH"])
        return try await Programs.run(
            at: "\(Self.root)/scripts/sbom", arguments, environment: ["PATH": path, "SOURCE_DATE_EPOCH": moment])
    }

    private func text() async throws -> String {
        let outcome = try await run("--bin", Programs.directory)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome.output
    }

    @Test("lists what the build took in, what of it is in which program, and what these load")
    func contents() async throws {
        let text = try await text()
        let bill = try JSONDecoder().decode(Bill.self, from: Data(text.utf8))
        // Every package of the manifest, at the version that stands there.
        let manifest = try String(contentsOfFile: "\(Self.root)/Package.swift", encoding: .utf8)
        let pins = manifest.matches(of: /\n    "([\w.-]+\/[\w.-]+)": "([^"]+)",/).map {
            "pkg:swift/github.com/\($0.output.1)@\($0.output.2)"
        }
        let packages = bill.components.filter { $0.purl?.hasPrefix("pkg:swift/") == true }
        #expect(packages.compactMap(\.purl).sorted() == pins.sorted())
        #expect(packages.allSatisfy { $0.licenses?.isEmpty == false })
        func scope(_ name: String) -> String? { bill.components.first { $0.name == name }?.scope }
        #expect(scope("GRDB.swift") == "required")
        #expect(scope("swift-subprocess") == "excluded")
        #expect(bill.components.first { $0.name == "swift-nio-ssl" }?.components?.map(\.name) == ["boringssl"])

        #expect(bill.metadata.component.components?.map(\.name) == ["privyseal", "privyseal-issuer", "privyseald"])
        #expect(bill.metadata.component.components?.allSatisfy { $0.hashes?.first?.content.count == 64 } == true)
        func loads(_ program: String, _ part: String) -> Bool { bill.dependencies(of: program).contains { $0.contains(part) } }
        for part in ["/GRDB.swift@", "/libsqlite3-0@", "/libp11-3@", "/libc6@", "swiftlang/swift@"] {
            #expect(loads("privyseald", part), "\(part)")
        }
        #expect(loads("privyseal-issuer", "/swift-nio-ssl@") && !loads("privyseal-issuer", "/libsqlite3-0@"))
        // What is named as a part is described.
        let described = Set(
            bill.components.map(\.reference) + (bill.metadata.component.components ?? []).map(\.reference)
                + [bill.metadata.component.reference])
        #expect(Set(bill.dependencies.flatMap { [$0.ref] + $0.dependsOn }).subtracting(described).isEmpty)
        // The same programs give the same list, however late it is, without anything of the machine.
        #expect(bill.metadata.timestamp == "2027-01-15T08:00:00Z")
        #expect(!text.contains(Self.root))
        let later = try await run("--bin", Programs.directory, moment: "1800000001")
        #expect(try JSONDecoder().decode(Bill.self, from: Data(later.output.utf8)).serialNumber == bill.serialNumber)
    }

    @Test(
        "is what CycloneDX's schema asks for",
        .enabled(if: FileManager.default.fileExists(atPath: schemas + "/cyclonedx"), "its schemas could not be had from PyPI"))
    func schema() async throws {
        let script = """
            import sys
            from cyclonedx.schema import SchemaVersion
            from cyclonedx.validation.json import JsonStrictValidator
            text = sys.stdin.read()
            error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
            assert error is None, error
            assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"library"', '"book"', 1)), "nothing is checked"
            """
        let outcome = try await Programs.run(
            at: "/usr/bin/python3", ["-c", script], environment: ["PYTHONPATH": Self.schemas], input: try await text())
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test("says what to do where nothing is built")
    func unbuilt() async throws {
        let outcome = try await run("--bin", "/nowhere")
        #expect(outcome.status == 1)
        #expect(outcome.errors == "error: privyseal is not in /nowhere\nhint: build it first: scripts/build\n")
    }
}
