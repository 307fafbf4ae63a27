import Crypto
import JOSE
import Testing

@Suite("public key")
struct PublicKeyTests {
    @Test("an RSA key has the SubjectPublicKeyInfo and kid that openssl computes")
    func rsa() throws {
        let key = try PublishedVectors.RSA.key()
        #expect(key.subjectPublicKeyInfo == PublishedVectors.RSA.subjectPublicKeyInfo)
        #expect(key.kid == PublishedVectors.RSA.kid)
        #expect(key.keyType == .rsa)
    }

    @Test("an EC key has the SubjectPublicKeyInfo and kid that openssl computes")
    func ec() throws {
        let key = try PublishedVectors.EC.key()
        #expect(key.subjectPublicKeyInfo == PublishedVectors.EC.subjectPublicKeyInfo)
        #expect(key.kid == PublishedVectors.EC.kid)
        #expect(key.keyType == .p256)
    }

    @Test(
        "a SubjectPublicKeyInfo reads back as the key it was made of",
        arguments: [PublishedVectors.RSA.subjectPublicKeyInfo, PublishedVectors.EC.subjectPublicKeyInfo])
    func roundTrip(bytes: [UInt8]) throws {
        let key = try PublicKey(subjectPublicKeyInfo: bytes)
        #expect(key.subjectPublicKeyInfo == bytes)
        switch key.parameters {
        case .rsa(let modulus, let exponent):
            #expect(Base64URL.encodeToString(modulus) == PublishedVectors.RSA.n)
            #expect(exponent == [1, 0, 1])
            #expect(try PublicKey(rsaModulus: modulus, exponent: exponent) == key)
        case .p256(let x, let y):
            #expect(Base64URL.encodeToString(x) == PublishedVectors.EC.x)
            #expect(Base64URL.encodeToString(y) == PublishedVectors.EC.y)
        }
    }

    @Test("a new P-256 key has the SubjectPublicKeyInfo that swift-crypto writes")
    func agreesWithCrypto() throws {
        for _ in 0..<20 {
            let key = P256.Signing.PrivateKey().publicKey
            let mine = try PublicKey(p256Point: Array(key.x963Representation))
            #expect(mine.subjectPublicKeyInfo == Array(key.derRepresentation))
        }
    }

    @Test("leading zero bytes of modulus and exponent do not change an RSA key")
    func leadingZeros() throws {
        let key = try PublishedVectors.RSA.key()
        guard case .rsa(let modulus, let exponent) = key.parameters else { throw Wrong.keyType }
        let padded = try PublicKey(rsaModulus: [0, 0] + modulus, exponent: [0] + exponent)
        #expect(padded == key)
        #expect(padded.kid == key.kid)
    }

    @Test("a modulus of 2047 bits is refused, one of 2048 is not")
    func shortModulus() throws {
        let modulus = try Base64URL.decode(PublishedVectors.RSA.n)
        #expect(throws: JOSEError(.keyInvalid, "")) {
            try PublicKey(rsaModulus: [modulus[0] & 0x7F] + modulus.dropFirst(), exponent: [1, 0, 1])
        }
        #expect(throws: Never.self) { try PublicKey(rsaModulus: modulus, exponent: [1, 0, 1]) }
    }

    static let badRSA: [(String, [UInt8], [UInt8])] = {
        let modulus = (try? Base64URL.decode(PublishedVectors.RSA.n)) ?? []
        return [
            ("no modulus", [], [1, 0, 1]),
            ("no exponent", modulus, []),
            ("exponent 0", modulus, [0]),
            ("exponent 1", modulus, [1]),
            ("an even exponent", modulus, [1, 0, 0]),
            ("an even modulus", modulus.dropLast() + [0], [1, 0, 1]),
            ("only zeros", [UInt8](repeating: 0, count: 256), [1, 0, 1]),
        ]
    }()

    @Test("numbers that are no RSA key are refused", arguments: badRSA)
    func numbers(name: String, modulus: [UInt8], exponent: [UInt8]) {
        #expect(throws: JOSEError(.keyInvalid, ""), "\(name)") {
            try PublicKey(rsaModulus: modulus, exponent: exponent)
        }
    }

    static let badPoints: [(String, [UInt8])] = {
        let point =
            (try? [0x04] + Base64URL.decode(PublishedVectors.EC.x) + Base64URL.decode(PublishedVectors.EC.y)) ?? []
        return [
            ("nothing", []),
            ("infinity", [0]),
            ("a compressed point", [0x03] + point[1..<33]),
            ("a DER-wrapped point", [0x04, 0x41] + point),
            ("a point without its form byte", Array(point.dropFirst())),
            ("a point off the curve", point.dropLast() + [point[64] ^ 1]),
            ("the point 0, 0", [0x04] + [UInt8](repeating: 0, count: 64)),
            ("coordinates over the prime", [0x04] + [UInt8](repeating: 0xFF, count: 64)),
        ]
    }()

    @Test("what is not an uncompressed point on P-256 is refused", arguments: badPoints)
    func points(name: String, point: [UInt8]) {
        #expect(throws: JOSEError(.keyInvalid, ""), "\(name)") { try PublicKey(p256Point: point) }
    }

    private enum Wrong: Error { case keyType }
}
