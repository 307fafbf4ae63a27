import Testing

@testable import StrictJSON

@Suite("Text that is shown")
struct ShownTextTests {
    @Test(
        "what would steer a terminal or not be seen is hidden",
        arguments: [
            0, 0x0A, 0x1B, 0x7F, 0x85, 0x9B, 0xAD, 0x61C, 0x200B, 0x200E, 0x2028, 0x2029, 0x202E, 0x2066, 0xFE0F, 0xFEFF, 0xE0001,
        ])
    func hidden(value: UInt32) throws {
        let scalar = try #require(Unicode.Scalar(value))
        #expect(scalar.isHidden)
        #expect(onOneLine("a\(Character(scalar))b").unicodeScalars.elementsEqual("a\u{FFFD}b".unicodeScalars))
    }

    @Test("all else is shown as it is")
    func shown() {
        let text = " ~ä€字🔑e\u{301}"
        let hidden = text.unicodeScalars.filter(\.isHidden)
        #expect(hidden.isEmpty)
        #expect(onOneLine(text) == text)
    }

    @Test("a name is quoted, and cut when it is long")
    func names() {
        #expect(quoted("a\nb") == "\"a\u{FFFD}b\"")
        #expect(quoted(String(repeating: "x", count: 65)) == "\"\(String(repeating: "x", count: 64))…\"")
        #expect(quoted("abc", limit: 3) == "\"abc\"")
    }
}
