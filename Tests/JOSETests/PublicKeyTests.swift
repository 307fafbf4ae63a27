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
        #expect(key.keyType == .ec(.p256))
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
        case .ed25519:
            Issue.record("neither of the two is an Ed25519 key")
        case .ec(let curve, let x, let y):
            #expect(curve == .p256)
            #expect(Base64URL.encodeToString(x) == PublishedVectors.EC.x)
            #expect(Base64URL.encodeToString(y) == PublishedVectors.EC.y)
        }
    }

    @Test("a key of another type has the SubjectPublicKeyInfo, kid and type that openssl computes", arguments: FurtherVector.all)
    func further(vector: FurtherVector) throws {
        let key = try vector.key()
        #expect(key.subjectPublicKeyInfo == vector.subjectPublicKeyInfo)
        #expect(key.kid == vector.kid)
        #expect(key.keyType == vector.algorithm.keyType)
        switch key.parameters {
        case .rsa(let modulus, let exponent):
            #expect(try PublicKey(rsaModulus: modulus, exponent: exponent) == key)
            #expect(key.rsaModulusBits == 2048)
        case .ec(let curve, let x, let y):
            #expect(try PublicKey(ecPoint: [0x04] + x + y, on: curve) == key)
            #expect(key.rsaModulusBits == nil)
        case .ed25519(let bytes):
            #expect(try PublicKey(ed25519: bytes) == key)
        }
    }

    @Test("a new EC key has the SubjectPublicKeyInfo that swift-crypto writes")
    func agreesWithCrypto() throws {
        for _ in 0..<20 {
            let p256 = P256.Signing.PrivateKey().publicKey
            #expect(
                try PublicKey(ecPoint: Array(p256.x963Representation), on: .p256).subjectPublicKeyInfo
                    == Array(p256.derRepresentation))
            let p384 = P384.Signing.PrivateKey().publicKey
            #expect(
                try PublicKey(ecPoint: Array(p384.x963Representation), on: .p384).subjectPublicKeyInfo
                    == Array(p384.derRepresentation))
            let p521 = P521.Signing.PrivateKey().publicKey
            #expect(
                try PublicKey(ecPoint: Array(p521.x963Representation), on: .p521).subjectPublicKeyInfo
                    == Array(p521.derRepresentation))
        }
    }

    @Test("a point is taken on its own curve only")
    func otherCurve() throws {
        let points: [(Curve, [UInt8])] = [
            (.p256, Array(P256.Signing.PrivateKey().publicKey.x963Representation)),
            (.p384, Array(P384.Signing.PrivateKey().publicKey.x963Representation)),
            (.p521, Array(P521.Signing.PrivateKey().publicKey.x963Representation)),
        ]
        for (curve, point) in points {
            for other in Curve.allCases where other != curve {
                #expect(throws: JOSEError(.keyInvalid, "")) { try PublicKey(ecPoint: point, on: other) }
            }
        }
    }

    @Test("an Ed25519 key has 32 bytes", arguments: [0, 31, 33, 64])
    func ed25519Length(count: Int) {
        #expect(throws: JOSEError(.keyInvalid, "")) { try PublicKey(ed25519: [UInt8](repeating: 1, count: count)) }
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
        #expect(throws: JOSEError(.keyInvalid, ""), "\(name)") { try PublicKey(ecPoint: point, on: .p256) }
    }

    private enum Wrong: Error { case keyType }
}
