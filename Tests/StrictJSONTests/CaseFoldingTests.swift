import Testing

@testable import StrictJSON

@Suite("Names without regard to case")
struct CaseFoldingTests {
    private func folded(_ text: String) -> String? { CaseFolding.folded(Array(text.utf8)) }

    private static var scalars: some Sequence<Unicode.Scalar> {
        (UInt32(0)...0x10FFFF).lazy.compactMap { Unicode.Scalar($0) }
    }

    @Test("every character is equal to its lower, upper and title case, by the standard library's tables")
    func fullMappings() {
        for scalar in Self.scalars where scalar.properties.changesWhenCaseMapped || scalar.properties.changesWhenCaseFolded {
            let text = String(scalar)
            let properties = scalar.properties
            for other in [properties.lowercaseMapping, properties.uppercaseMapping, properties.titlecaseMapping] {
                #expect(folded(text) == folded(other), "\(text) \(other)")
            }
            #expect(folded(text).flatMap(folded) == folded(text), "\(text)")
        }
    }

    @Test("nothing else is equal to an ASCII letter or digit")
    func ascii() {
        // Unicode's own list of what folds to ASCII alone, with the i of Turkish.
        let known: [Unicode.Scalar: String] = ["ſ": "s", "\u{212A}": "k", "İ": "i", "ı": "i"]
        for scalar in Self.scalars where !scalar.isASCII && scalar.properties.changesWhenCaseMapped {
            let text = folded(String(scalar))
            guard let text, text.unicodeScalars.count == 1, text.utf8.count == 1 else { continue }
            #expect(known[scalar] == text, "\(scalar)")
        }
        for (scalar, text) in known { #expect(folded(String(scalar)) == text) }
    }

    @Test("characters without case are themselves", arguments: ["漢字", "א", "क", "_", "-", "1", "", "👩‍💻"])
    func uncased(_ text: String) {
        #expect(folded(text) == text)
    }

    @Test("thirty combining marks in a row are compared, and one more is not")
    func marks() {
        let marks = String(repeating: "\u{301}", count: 30)
        #expect(folded("a\(marks)b\(marks)") != nil)
        #expect(folded("a\(marks)\u{316}") == nil)
    }
}
