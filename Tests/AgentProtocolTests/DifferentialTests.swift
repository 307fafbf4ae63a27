import Foundation
import TestSupport
import Testing

@testable import AgentProtocol

@Suite("The scanner beside a full parser")
struct DifferentialTests {
    @Test("generated documents mean the same to both", arguments: 0..<20 as Range<UInt64>)
    func generatedDocuments(_ seed: UInt64) throws {
        var generator = DocumentGenerator(seed: seed)
        for _ in 0..<100 {
            let text = generator.document()
            let ours = try JSONValue(parsing: text)
            let theirs = try JSONDecoder().decode(JSONValue.self, from: Data(text))
            #expect(canonical(ours) == canonical(theirs), "\(String(decoding: text, as: UTF8.self))")
            #expect(try JSONValue(parsing: ours.encoded()) == ours)
            #expect(try JSONValue(parsing: Array(ours.prettyPrinted().utf8)) == ours)
        }
    }

    @Test("whatever is done to a document, what the scanner accepts a full parser accepts", arguments: 0..<20 as Range<UInt64>)
    func mutatedDocuments(_ seed: UInt64) {
        var generator = DocumentGenerator(seed: seed)
        for _ in 0..<200 {
            let text = mutated(generator.document(), &generator.random)
            guard let ours = try? JSONValue(parsing: text) else { continue }
            // Foundation refuses numbers that overflow a double; nothing else may differ.
            guard let theirs = try? JSONDecoder().decode(JSONValue.self, from: Data(text)) else {
                #expect(overflows(text), "\(String(decoding: text, as: UTF8.self))")
                continue
            }
            #expect(canonical(ours) == canonical(theirs), "\(String(decoding: text, as: UTF8.self))")
        }
    }

    @Test("no line makes the decoders trap", arguments: 0..<20 as Range<UInt64>)
    func mutatedLines(_ seed: UInt64) {
        let lines = [
            #"{"jsonrpc":"2.0","id":1,"method":"sign","params":{"issuer":"demo","claims":{"sub":"a","aud":["b"],"exp":1}}}"#,
            #"{"jsonrpc":"2.0","id":"\u00e9","method":"rotate","params":{"issuer":"demo","dryRun":true,"ifGeneration":4}}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"sign","params":{"issuer":"demo","payload":"eyJhdWQiOiJhIn0"}}"#,
            #"{"jsonrpc":"2.0","id":7,"error":{"code":-32001,"message":"no","data":{"reason":"X","retryable":false}}}"#,
        ].map { Array($0.utf8) }
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let line = mutated(lines.randomElement(using: &random)!, &random)
            _ = try? AgentLine.decode(line)
            guard let request = try? Request.decode(line) else { continue }
            _ = try? ParameterDecoder.decode(RotateParameters.self, from: request.params)
            guard let sign = try? SignRequest.decode(request.params) else { continue }
            let filled = sign.claims.filling(issuer: "i", issuedAt: 1, notBefore: 1, expiration: 2, id: "j")
            #expect(throws: Never.self) { try ClaimsObject(parsing: filled) }
        }
    }

    private func mutated(_ text: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var text = text
        for _ in 0..<Int.random(in: 1...3, using: &random) where !text.isEmpty {
            let place = Int.random(in: 0..<text.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: text.remove(at: place)
            case 1: text.insert(Array("{}[]\",:\\u0123e.-tfn \n".utf8).randomElement(using: &random)!, at: place)
            case 2: text[place] = UInt8.random(in: 0...255, using: &random)
            case 3: text.removeLast(text.count - place)
            default:
                let end = Int.random(in: place..<text.count, using: &random)
                text.insert(contentsOf: text[place...end], at: place)
            }
        }
        return text
    }

    private func overflows(_ text: [UInt8]) -> Bool {
        var scanner = JSONScanner(text, in: text.indices, checking: .numbers)
        scanner.skipWhitespace()
        do throws(JSONError) {
            try scanner.skipValue()
            return false
        } catch {
            return error.code == .numberOutOfRange
        }
    }

    /// Members sorted and numbers as doubles, which is all that Foundation keeps.
    private func canonical(_ value: JSONValue) -> JSONValue {
        switch value {
        case .integer(let value): .number("\(Double(value))")
        // Adding zero takes the sign from -0, which Foundation loses.
        case .number(let text): .number("\(Double(text)! + 0)")
        case .array(let elements): .array(elements.map(canonical))
        case .object(let members):
            .object(
                members.map { .init($0.name, canonical($0.value)) }
                    .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
        default: value
        }
    }
}
