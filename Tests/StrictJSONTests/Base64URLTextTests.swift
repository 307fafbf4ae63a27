import Foundation
import Testing

@testable import StrictJSON

@Suite("base64url that is read")
struct Base64URLTextTests {
    @Test(
        "is refused with what is wrong with it",
        arguments: [
            ("Z", .cutShort), ("Zg==", .foreignCharacter), ("+w", .foreignCharacter), ("Zm9é", .cutShort), ("Zh", .trailingBits),
        ] as [(String, Base64URLText.Fault)])
    func faults(text: String, fault: Base64URLText.Fault) {
        #expect(throws: fault) { try Base64URLText.decode(Array(text.utf8)[...]) }
    }

    @Test("base64url is read as Foundation reads it", arguments: 0..<40)
    func foundation(_ count: Int) throws {
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
        let text = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        #expect(try Base64URLText.decode(Array(text.utf8)[...]) == bytes)
    }
}
