import TestSupport

/// JSON documents, valid by construction but in every spelling: white space, escapes, number forms.
struct DocumentGenerator {
    var random: SeededGenerator
    /// Whether there are control characters in strings, which claims may not have everywhere.
    var writesControlCharacters = true

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    mutating func document() -> [UInt8] {
        space() + value(depth: 0) + space()
    }

    private mutating func value(depth: Int) -> [UInt8] {
        switch Int.random(in: 0..<(depth < 6 ? 9 : 6), using: &random) {
        case 0: Array("null".utf8)
        case 1: Array((Bool.random(using: &random) ? "true" : "false").utf8)
        case 2, 3: number()
        case 4, 5: string()
        case 6:
            list(open: "[", close: "]") { $0.value(depth: depth + 1) }
        default:
            list(open: "{", close: "}") { generator in
                generator.string(suffix: generator.random.next()) + generator.space() + [UInt8(ascii: ":")] + generator.space()
                    + generator.value(depth: depth + 1)
            }
        }
    }

    private mutating func list(
        open: Unicode.Scalar, close: Unicode.Scalar, element: (inout DocumentGenerator) -> [UInt8]
    ) -> [UInt8] {
        var bytes = [UInt8(ascii: open)] + space()
        for position in 0..<Int.random(in: 0..<6, using: &random) {
            if position > 0 { bytes += [UInt8(ascii: ",")] + space() }
            bytes += element(&self) + space()
        }
        return bytes + [UInt8(ascii: close)]
    }

    private mutating func number() -> [UInt8] {
        var text = Bool.random(using: &random) ? "-" : ""
        text += "\(Int.random(in: 0...[9, 1000, 1 << 52].randomElement(using: &random)!, using: &random))"
        if Int.random(in: 0..<3, using: &random) == 0 {
            text += ".\(Int.random(in: 0...9999, using: &random))"
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            text += ["e", "E", "e+", "E-"].randomElement(using: &random)! + "\(Int.random(in: 0...30, using: &random))"
        }
        return Array(text.utf8)
    }

    /// A suffix makes names unique, almost certainly.
    private mutating func string(suffix: UInt64? = nil) -> [UInt8] {
        var pieces = [
            "a", "Z", "0", " ", "é", "€", "𝄞", "\u{FFFF}", "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e9", "\\ud834\\udd1e",
            "\u{2028}",
        ]
        if writesControlCharacters { pieces += ["\u{7F}", "\\n", "\\u0000"] }
        let text = (0..<Int.random(in: 0..<8, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
        return Array("\"\(text)\(suffix.map { String($0, radix: 36) } ?? "")\"".utf8)
    }

    private mutating func space() -> [UInt8] {
        (0..<[0, 0, 0, 1, 3].randomElement(using: &random)!).map { _ in
            [0x20, 0x09, 0x0A, 0x0D].randomElement(using: &random)!
        }
    }
}
