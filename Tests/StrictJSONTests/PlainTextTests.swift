import Testing

@testable import StrictJSON

@Suite("Plain text")
struct PlainTextTests {
    @Test("the first byte that is not plain is found wherever it stands, whatever is behind it")
    func everyByte() {
        for byte in UInt8.min...UInt8.max {
            let isPlain = (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            for length in [1, 7, 8, 9, 16, 19] {
                for place in 0..<length {
                    var text = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                    text[place] = byte
                    // A borrow must not reach a byte before it.
                    if place + 1 < length { text[place + 1] = 0x20 }
                    #expect(PlainText.end(in: text.span, from: 0, to: length) == (isPlain ? length : place))
                    #expect(PlainText.end(in: text.span, from: place, to: place + 1) == (isPlain ? place + 1 : place))
                }
            }
        }
    }

    @Test("a text is appended as a whole or not at all")
    func appending() {
        var bytes = Array("a".utf8)
        let appended = ["plain ~ text", "a quote \" in it", "ü", "\u{7F}", ""].map { bytes.append(ifPlain: $0) }
        #expect(appended == [true, false, false, false, true])
        #expect(bytes == Array("aplain ~ text".utf8))
    }

    @Test("decimal digits", arguments: [0, 7, -1, 10, 1_800_000_000, .max, .min] as [Int64])
    func decimal(_ value: Int64) {
        var bytes: [UInt8] = []
        bytes.append(decimal: value)
        #expect(bytes == Array("\(value)".utf8))
    }
}
