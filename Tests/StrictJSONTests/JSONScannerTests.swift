import Testing

@testable import StrictJSON

@Suite("JSON scanner")
struct JSONScannerTests {
    @Test(
        "a text of the grammar is accepted",
        arguments: [
            "null", "true", "false", "0", "-0", "1", "-1", "10", "1.5", "-0.0", "1e5", "1E+5", "1e-5", "0e0", "0.1e1",
            "\"\"", "\"a\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\u00e9\\uD834\\udd1e\"", "\"é€𝄞\"",
            "\"\u{7F}\"", "\"\u{FFFF}\"", "\"\u{10FFFF}\"", "[]", "{}", "[ ]", "{ }", " \t\r\n1 \t\r\n", "[1,2]", "[[],{}]",
            #"{"a":1,"b":{"a":2}}"#, #"{"":0}"#, #"[{"a":1},{"a":2}]"#, "{\"a\"\n:\r[ ]\t}", "9007199254740993", "1e400",
            "{\"\u{E9}\":1,\"e\u{301}\":2}",
        ])
    func accepts(_ text: String) throws {
        let slice = try JSONSlice(validating: Array(text.utf8))
        _ = try JSONValue(parsing: slice)
    }

    @Test(
        "a text outside the grammar is refused, with the place",
        arguments: [
            ("", .unexpectedEnd, 0), (" ", .unexpectedEnd, 1), ("nul", .unexpectedEnd, 3), ("nulL", .unexpectedByte, 3),
            ("True", .unexpectedByte, 0), ("NaN", .unexpectedByte, 0), ("-Infinity", .invalidNumber, 1),
            ("01", .invalidNumber, 0), ("-01", .invalidNumber, 0), ("1.", .unexpectedEnd, 2), (".5", .unexpectedByte, 0),
            ("+1", .unexpectedByte, 0), ("1e", .unexpectedEnd, 2), ("1e+", .unexpectedEnd, 3), ("1.e5", .invalidNumber, 2),
            ("-", .unexpectedEnd, 1), ("0x1", .unexpectedByte, 1), ("1 2", .unexpectedByte, 2), ("[1,]", .unexpectedByte, 3),
            ("[,1]", .unexpectedByte, 1), ("[1 2]", .unexpectedByte, 3), ("[1", .unexpectedEnd, 2), ("]", .unexpectedByte, 0),
            ("{", .unexpectedEnd, 1), (#"{"a"}"#, .unexpectedByte, 4), (#"{"a":}"#, .unexpectedByte, 5),
            (#"{"a":1,}"#, .unexpectedByte, 7), ("{1:2}", .unexpectedByte, 1), (#"{a:1}"#, .unexpectedByte, 1),
            (#"{"a" 1}"#, .unexpectedByte, 5), (#"{"a":1"b":2}"#, .unexpectedByte, 6), (#"{,}"#, .unexpectedByte, 1),
            ("'a'", .unexpectedByte, 0), ("\"a", .unexpectedEnd, 2), ("\"\u{1}\"", .controlCharacter, 1),
            ("\"\n\"", .controlCharacter, 1), (#""\x""#, .invalidEscape, 1), (#""\u12g4""#, .invalidEscape, 5),
            (#""\u12"#, .unexpectedEnd, 5), (#""\"#, .unexpectedEnd, 2), (#""\ud800""#, .loneSurrogate, 1),
            (#""\udc00""#, .loneSurrogate, 1), (#""\ud800\u0041""#, .loneSurrogate, 1), (#""\ud800x""#, .loneSurrogate, 1),
            (#""\ud800\ud800""#, .loneSurrogate, 1), ("\u{FEFF}1", .unexpectedByte, 0), ("/* */1", .unexpectedByte, 0),
            ("1 //", .unexpectedByte, 2), ("\u{A0}1", .unexpectedByte, 0), ("[1]]", .unexpectedByte, 3),
        ] as [(String, JSONError.Code, Int)])
    func refuses(_ text: String, _ code: JSONError.Code, _ offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONSlice(validating: Array(text.utf8)) }
        #expect(error?.code == code)
        #expect(error?.offset == offset)
    }

    @Test(
        "bytes that are not UTF-8 are refused inside a string",
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x9F, 0xBF], [0xE0, 0xA0],
            [0xE2, 0x82, 0x41], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x92],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        ] as [[UInt8]])
    func refusesBytes(_ bytes: [UInt8]) {
        let text = Array("\"a".utf8) + bytes + Array("\"".utf8)
        let error = #expect(throws: JSONError.self) { try JSONSlice(validating: text) }
        #expect(error?.code == .invalidUTF8)
        #expect(throws: JSONError.self) { try JSONSlice(validating: Array(text.dropLast())) }
    }

    @Test("nesting up to the limit is accepted and one more refused", arguments: ["[", "{\"a\":"])
    func depth(_ opening: String) {
        func nested(_ depth: Int) -> [UInt8] {
            let closing = opening == "[" ? "]" : "}"
            return Array((String(repeating: opening, count: depth) + "1" + String(repeating: closing, count: depth)).utf8)
        }
        #expect(throws: Never.self) { try JSONSlice(validating: nested(JSONScanner.depthLimit)) }
        let error = #expect(throws: JSONError.self) { try JSONSlice(validating: nested(JSONScanner.depthLimit + 1)) }
        #expect(error?.code == .tooDeep)
        // A line full of brackets costs no stack.
        #expect(throws: JSONError.self) { try JSONSlice(validating: nested(30_000)) }
    }

    @Test("siblings do not count as depth")
    func breadth() {
        let text = "[" + Array(repeating: "[[{}]]", count: 100).joined(separator: ",") + "]"
        #expect(throws: Never.self) { try JSONSlice(validating: Array(text.utf8)) }
    }

    @Test(
        "a repeated name is refused after unescaping, at any depth",
        arguments: [
            (#"{"a":1,"a":1}"#, "a"), (#"{"a":1,"b":2,"a":3}"#, "a"), (#"{"a":1,"\u0061":2}"#, "a"),
            (#"{"\u0061":1,"a":2}"#, "a"), (#"{"\u0061":1,"\u0061":2}"#, "a"), (#"{"a/b":1,"a\/b":2}"#, "a/b"),
            (#"[{"x":{"y":[{"z":1,"z":2}]}}]"#, "z"), (#"{"":1,"":2}"#, ""), (#"{"é":1,"\u00E9":2}"#, "é"),
            (#"{"𝄞":1,"\ud834\udd1e":2}"#, "𝄞"), (#"{"a":{"b":1},"a":2}"#, "a"), (#"{"b":{"a":1},"c":1,"b":2}"#, "b"),
        ])
    func repeatedNames(_ text: String, _ member: String) throws {
        #expect(throws: Never.self) { try JSONSlice(validating: Array(text.utf8)) }
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
        #expect(error?.code == .repeatedMember)
        #expect(error?.member == member)
    }

    @Test("a repeated name is found in an object of any size", arguments: [2, 15, 16, 17, 18, 100, 3000])
    func repeatedNameInLargeObject(_ count: Int) {
        let names = (0..<count).map { "\"name\($0)\":\($0)" }
        let unique = "{" + names.joined(separator: ",") + "}"
        #expect(throws: Never.self) { try JSONValue(parsing: Array(unique.utf8)) }
        for repeated in [0, count / 2, count - 1] {
            let text = "{\(names.joined(separator: ",")),\"n\\u0061me\(repeated)\":0}"
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
            #expect(error?.member == "name\(repeated)")
        }
    }

    @Test(
        "numbers that parsers disagree on are refused where that is asked for",
        arguments: [
            ("9007199254740991", true), ("-9007199254740991", true), ("9007199254740992", false),
            ("-9007199254740992", false), ("18446744073709551616", false), ("99999999999999999999999999", false),
            ("1e308", true), ("1e309", false), ("-1e309", false), ("1e-400", true), ("123456789012345", true),
            ("0.1234567890123456789", true), ("1e99999999999999999999", false), ("-0", true),
        ])
    func numberRange(_ text: String, _ accepted: Bool) {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner(bytes, in: bytes.indices, checking: .numbers)
        let error: JSONError?
        do throws(JSONError) {
            try scanner.skipValue()
            error = nil
        } catch let failure {
            error = failure
        }
        #expect((error == nil) == accepted)
        #expect(error.map { $0.code == .numberOutOfRange } ?? true)
    }

    @Test(
        "integers are read exactly",
        arguments: [
            ("0", 0), ("-1", -1), ("9223372036854775807", .max), ("-9223372036854775808", .min),
        ] as [(String, Int64)])
    func integers(_ text: String, _ value: Int64) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)) == .integer(value))
    }

    @Test(
        "a number that is no plain integer keeps its text",
        arguments: ["-0", "1.0", "1e5", "9223372036854775808", "-9223372036854775809", "1E-7"])
    func numberText(_ text: String) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)) == .number(text))
    }
}
