import JOSE
import Testing

@Suite("SubjectPublicKeyInfo")
struct SubjectPublicKeyInfoTests {
    static let rsa = PublishedVectors.RSA.subjectPublicKeyInfo
    static let ec = PublishedVectors.EC.subjectPublicKeyInfo
    static let ed25519 = FurtherVector.edDSA.subjectPublicKeyInfo

    /// Each is one change of a valid encoding that X.690 §10 or the RFCs forbid.
    static let malformed: [(String, [UInt8])] = [
        ("nothing", []),
        ("only a tag", [0x30]),
        ("an empty sequence", [0x30, 0x00]),
        ("another outer tag", [0x31] + ec.dropFirst()),
        ("a byte after it", ec + [0]),
        ("the indefinite length", [0x30, 0x80] + ec.dropFirst(2) + [0, 0]),
        ("a length in a longer form than needed", [0x30, 0x81, 0x59] + ec.dropFirst(2)),
        ("a length of nine bytes", [0x30, 0x89] + [UInt8](repeating: 0xFF, count: 9) + ec.dropFirst(2)),
        ("a length past the end", [0x30, 0x5A] + ec.dropFirst(2)),
        ("unused bits in the key", replacing(ec, [0x03, 0x42, 0x00], [0x03, 0x42, 0x01])),
        (
            "an RSA key with other parameters than NULL",
            replacing(rsa, [0x01, 0x01, 0x05, 0x00], [0x01, 0x01, 0x04, 0x00])
        ),
        (
            "a negative modulus",
            replacing(rsa, [0x02, 0x82, 0x01, 0x01, 0x00, 0xA1], [0x02, 0x82, 0x01, 0x01, 0xFF, 0xA1])
        ),
        (
            "an RSA exponent with a needless zero",
            replacing(
                replacing(
                    replacing(
                        replacing(rsa, [0x02, 0x03, 0x01, 0x00, 0x01], [0x02, 0x04, 0x00, 0x01, 0x00, 0x01]),
                        [0x30, 0x82, 0x01, 0x22], [0x30, 0x82, 0x01, 0x23]),
                    [0x03, 0x82, 0x01, 0x0F], [0x03, 0x82, 0x01, 0x10]),
                [0x30, 0x82, 0x01, 0x0A], [0x30, 0x82, 0x01, 0x0B])
        ),
        (
            "an Ed25519 key with parameters",
            [0x30, 0x2C, 0x30, 0x07, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x05, 0x00] + ed25519.dropFirst(9)
        ),
        (
            "a compressed EC point",
            PublishedVectors.base64(
                "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=")
        ),
    ]

    @Test("bytes that are not the one DER encoding of a key are refused", arguments: malformed)
    func refuses(name: String, bytes: [UInt8]) {
        #expect(throws: JOSEError(.subjectPublicKeyInfoInvalid, ""), "\(name)") {
            try PublicKey(subjectPublicKeyInfo: bytes)
        }
    }

    @Test(
        "no prefix of an encoding is taken, and none traps", arguments: [rsa, ec] + FurtherVector.all.map(\.subjectPublicKeyInfo))
    func prefixes(bytes: [UInt8]) {
        for count in 0..<bytes.count {
            #expect(throws: JOSEError.self) { try PublicKey(subjectPublicKeyInfo: Array(bytes.prefix(count))) }
        }
    }

    @Test(
        "a changed byte gives an error or another key, never the same",
        arguments: [rsa, ec] + FurtherVector.all.map(\.subjectPublicKeyInfo))
    func changedBytes(bytes: [UInt8]) throws {
        let original = try PublicKey(subjectPublicKeyInfo: bytes)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x40
            guard let key = try? PublicKey(subjectPublicKeyInfo: changed) else { continue }
            #expect(key != original)
            #expect(key.kid != original.kid)
            #expect(key.subjectPublicKeyInfo == changed)
        }
    }

    @Test(
        "another curve and another key type are named as unsupported",
        arguments: [
            // secp256k1, Ed448, X25519
            "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAELmgVUTzqbqv4qlIWQhqz0/Ud6Ok9zIKfebAqETtGg7G8uSpXuiTTaQiGaXUy00+V6g4cNEyO42yg"
                + "dZlVlOTT0A==",
            "MEMwBQYDK2VxAzoAc4I+EIRg0Dnf6Dre4aY4i0UBMZVfFqhA2Qt99FvXZQOAYW8rvGI7wddFfW5ZXILg37pcgjisL2aA",
            "MCowBQYDK2VuAyEARIKpukWqKqDijvzJpCFKGC0HEp/oi95vwfvY2x+puWU=",
        ])
    func unsupported(text: String) {
        #expect(throws: JOSEError(.keyTypeUnsupported, "")) {
            try PublicKey(subjectPublicKeyInfo: PublishedVectors.base64(text))
        }
    }

    @Test("an RSA key of 1024 bits is refused")
    func short() {
        let bytes = PublishedVectors.base64(
            "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDInkPmRklC58r4G/NCYgVIsNiawrzy1G1DD14syZNXgzXiuAnlEVPE+BgujVDPO+DUXEpN"
                + "9J6akslttmnkK3XXZcVDE/tlhWf4/KXT17aRsv3yLSJNsanFjCc2ui96NOO5aGBzajju1G8jcYUJ83yx6HcQhZlwkPjmhryk+3VhYwID"
                + "AQAB")
        #expect(throws: JOSEError(.keyInvalid, "")) { try PublicKey(subjectPublicKeyInfo: bytes) }
    }

    /// `bytes` with the first occurrence of a pattern replaced; without one the fixture is wrong.
    private static func replacing(_ bytes: [UInt8], _ pattern: [UInt8], _ replacement: [UInt8]) -> [UInt8] {
        guard let range = bytes.firstRange(of: pattern) else { preconditionFailure("fixture lacks the pattern") }
        return bytes[..<range.lowerBound] + replacement + bytes[range.upperBound...]
    }
}
