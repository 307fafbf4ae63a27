import Foundation
import FuzzProperties
import TestSupport
import Testing

/// What a few thousand mutations find costs no fuzzer.
@Suite("Inputs near those that the fuzzer has kept")
struct MutationTests {
    @Test("what etcd might send keeps to the properties", arguments: ["watch", "etcd"])
    func etcd(_ name: String) throws {
        let target = try #require(KeptInput.targets.first { $0.name == name })
        let inputs = try KeptInput.all(in: "Corpus").filter { $0.target.name == name }
            .map { try Array(Data(contentsOf: URL(fileURLWithPath: $0.path))) }
        var random = SeededGenerator(seed: 14)
        for _ in 0..<5_000 {
            var input = random.pick(inputs)
            for _ in 0..<Int.random(in: 1...4, using: &random) where !input.isEmpty {
                let place = Int.random(in: input.indices, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: input[place] = UInt8.random(in: 0...255, using: &random)
                case 1: input.remove(at: place)
                case 2: input.insert(random.pick(Array(#"{}[]",:0-9e\n"#.utf8)), at: place)
                default: input += input[place...].prefix(40)
                }
            }
            input = Array(input.prefix(target.longestInput))
            #expect(throws: Never.self, "\(Data(input).base64EncodedString())") { try target.check(input) }
        }
    }
}
