import Testing

@testable import StrictJSON

@Suite("Text that is written into JSON")
struct JSONTextTests {
    @Test(
        "what must be escaped is, and what else is says the kind of text",
        arguments: [
            ("plain ~", "plain ~", "plain ~", "plain ~"),
            ("\"\\/", #"\"\\/"#, #"\"\\/"#, #"\"\\/"#),
            ("\n\r\t", #"\n\r\t"#, #"\u000a\u000d\u0009"#, #"\n\r\t"#),
            ("\u{8}\u{C}\u{1B}\0", #"\b\f\u001b\u0000"#, #"\u0008\u000c\u001b\u0000"#, #"\u0008\u000c\u001b\u0000"#),
            ("\u{7F}", "\u{7F}", #"\u007f"#, #"\u007f"#),
            ("ü\u{85}\u{2028}", "ü\u{85}\u{2028}", "ü\u{85}\u{2028}", #"ü\u0085\u2028"#),
            ("a\u{202E}b\u{200B}", "a\u{202E}b\u{200B}", "a\u{202E}b\u{200B}", #"a\u202eb\u200b"#),
            ("🔑\u{E0001}", "🔑\u{E0001}", "🔑\u{E0001}", #"🔑\udb40\udc01"#),
        ])
    func escaping(text: String, required: String, numbers: String, hidden: String) {
        func written(_ escaping: JSONEscaping) -> String {
            var bytes: [UInt8] = []
            bytes.append(text, escaping: escaping)
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(written(.required) == required)
        #expect(written(.numbers) == numbers)
        #expect(written(.hidden) == hidden)
    }

    @Test("every character is read as itself again", arguments: [JSONEscaping.required, .numbers, .hidden])
    func everyScalar(escaping: JSONEscaping) throws {
        for first in stride(from: UInt32(0), through: 0x10FFFF, by: 0x800) {
            let text = String(String.UnicodeScalarView((first..<first + 0x800).compactMap(Unicode.Scalar.init)))
            var json = [UInt8(ascii: "\"")]
            json.append(text, escaping: escaping)
            json.append(UInt8(ascii: "\""))
            let read = try JSONValue(parsing: json)
            #expect(read.string.map { Array($0.utf8) } == Array(text.utf8))
        }
    }
}
