import AgentSettings
import Foundation
import FuzzProperties
import Testing

/// One input that is kept, and what it is fed to.
struct KeptInput: CustomTestStringConvertible {
    let target: FuzzTarget
    let path: String

    /// The directory of the fuzzer.
    static let fuzz = URL(fileURLWithPath: #filePath).deletingLastPathComponent().resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fuzz")

    static let targets = FuzzTarget.all(directory: fuzz.path)

    /// The inputs of every target in a directory of `Fuzz`, by target and name.
    static func all(in directory: String) -> [KeptInput] {
        targets.flatMap { target in
            let path = fuzz.appendingPathComponent("\(directory)/\(target.name)").path
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            return names.sorted().map { KeptInput(target: target, path: "\(path)/\($0)") }
        }
    }

    /// On a thread of its own: some targets wait for other processes.
    func replay() async throws {
        let input = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            Thread { done.resume(with: Result { try target.check(input) }) }.start()
        }
    }

    var testDescription: String { path.split(separator: "/").suffix(2).joined(separator: "/") }
}

@Suite("Inputs the fuzzer has kept")
struct ReplayTests {
    @Test("what made a target fail once does not any more", arguments: KeptInput.all(in: "Failures"))
    func failure(_ input: KeptInput) async throws {
        try await input.replay()
    }

    @Test("every property holds for the corpus", arguments: KeptInput.targets.map(\.name))
    func corpus(_ name: String) async throws {
        let inputs = KeptInput.all(in: "Corpus").filter { $0.target.name == name }
        #expect(!inputs.isEmpty, "a target without a corpus")
        for input in inputs {
            await #expect(throws: Never.self, "\(input.testDescription)") { try await input.replay() }
        }
    }

    @Test("configurations that load are among the corpus", arguments: ["whole", "least", "access"])
    func configurations(_ name: String) throws {
        let file = KeptInput.fuzz.appendingPathComponent("Corpus/configuration/\(name)")
        #expect(throws: Never.self) { try Settings(path: file.path) }
    }

    @Test("every directory of inputs belongs to a target", arguments: ["Corpus", "Failures"])
    func directories(_ directory: String) throws {
        let path = KeptInput.fuzz.appendingPathComponent(directory).path
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix(".") }
        #expect(Set(names).isSubset(of: Set(KeptInput.targets.map(\.name))))
    }
}
