import Foundation
import JOSE
import Testing

@Suite("base64url")
struct Base64URLTests {
    @Test(
        "has the texts of RFC 4648 §10 without padding",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ])
    func vectors(plain: String, text: String) throws {
        #expect(Base64URL.encodeToString(Array(plain.utf8)) == text)
        #expect(try Base64URL.decode(text) == Array(plain.utf8))
    }

    @Test("agrees with Foundation's base64 at every length to 200, and reads back what it wrote")
    func agreesWithFoundation() throws {
        var generator = SystemRandomNumberGenerator()
        for count in 0...200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            let expected = Data(bytes).base64EncodedString().filter { $0 != "=" }
                .map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }
            let text = Base64URL.encodeToString(bytes)
            #expect(text == String(expected))
            #expect(text.utf8.count == Base64URL.encodedCount(count))
            #expect(try Base64URL.decode(text) == bytes)
        }
    }

    @Test("appends after what is there")
    func appends() {
        var text = Array("a.".utf8)
        Base64URL.append([0xFB, 0xFF, 0xFE], to: &text)
        #expect(text == Array("a.-__-".utf8))
    }

    @Test("decodes a slice that does not begin at 0")
    func slice() throws {
        #expect(try Base64URL.decode(Array("..Zm8.".utf8)[2..<5]) == Array("fo".utf8))
    }

    @Test(
        "refuses every text that is not the one canonical text",
        arguments: [
            "Zg==", "Zm8=", "=", "Z", "Zm9vY", "Zh", "Zm9", "+w", "/w", "Zm9v\n", " Zm9v", "Zm 9", "Zm9.", "Zm9é",
            "\0\0",
        ])
    func refuses(text: String) {
        #expect(throws: JOSEError(.base64URLInvalid, "")) { try Base64URL.decode(text) }
    }
}
