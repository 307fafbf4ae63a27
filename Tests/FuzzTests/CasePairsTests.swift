import AgentProtocol
import Foundation
import ProcessSupport
import Testing

@Suite("Names that other languages take for one")
struct CasePairsTests {
    /// Lines of two names in hexadecimal; nil for a language that is not on this machine, or not built for the fuzzer.
    private static func pairs(_ language: String) async throws -> [Substring]? {
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("privyseal-\(UUID().uuidString)")
        try Data().write(to: output)
        defer { try? FileManager.default.removeItem(at: output) }
        let run = KeptInput.fuzz.appendingPathComponent("Parsers/run").path
        _ = try await ChildProcess(run, [language, "--pairs"], output: output.path).status
        let lines = try String(contentsOf: output, encoding: .utf8).split(separator: "\n")
        return lines.first == "ready" ? Array(lines.dropFirst()) : nil
    }

    private static func text(_ hexadecimal: Substring) -> String {
        let digits = Array(hexadecimal.utf8)
        let bytes = stride(from: 0, to: digits.count, by: 2).compactMap { place in
            UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("no two are told apart here that are one to them", arguments: ["python", "node", "go", "java"])
    func pairs(_ language: String) async throws {
        guard let pairs = try await Self.pairs(language) else {
            try #require(language != "python")
            return
        }
        #expect(pairs.count > 2_000)
        for pair in pairs {
            let names = pair.split(separator: " ").map(Self.text)
            let areSame = ClaimsObject.areSameButForCase(names[0], names[1])
            #expect(areSame, "\(pair)")
        }
    }
}
