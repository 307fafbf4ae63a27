import Crypto
import JOSE
import Testing

@Suite("signatures and compact JWS")
struct SignatureTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let algorithm: JWSAlgorithm
        let key: @Sendable () throws -> PublicKey
        let signingInput: String
        let signature: String

        var testDescription: String { algorithm.rawValue }
        func verifier() throws -> SignatureVerifier { try key().verifier(for: algorithm) }
    }

    static let vectors =
        [
            Vector(
                algorithm: .rs256, key: PublishedVectors.RSA.key, signingInput: PublishedVectors.RSA.signingInput,
                signature: PublishedVectors.RSA.signature),
            Vector(
                algorithm: .es256, key: PublishedVectors.EC.key, signingInput: PublishedVectors.EC.signingInput,
                signature: PublishedVectors.EC.signature),
        ]
        + FurtherVector.all.map { vector in
            Vector(
                algorithm: vector.algorithm, key: vector.key, signingInput: vector.signingInput, signature: vector.signature)
        }

    @Test("published signatures are valid", arguments: vectors)
    func valid(vector: Vector) throws {
        let input = Array(vector.signingInput.utf8)
        let signature = try Base64URL.decode(vector.signature)
        let verifier = try vector.verifier()
        #expect(verifier.algorithm == vector.algorithm)
        #expect(verifier.isValid(signature: signature, for: SigningDigest(of: input, for: vector.algorithm)))
        #expect(verifier.isValid(signature: signature, signingInput: input))
    }

    @Test("a changed input, a changed bit and another length are not valid", arguments: vectors)
    func invalid(vector: Vector) throws {
        let digest = SigningDigest(of: Array(vector.signingInput.utf8), for: vector.algorithm)
        let signature = try Base64URL.decode(vector.signature)
        let verifier = try vector.verifier()
        #expect(!verifier.isValid(signature: signature, signingInput: Array(vector.signingInput.utf8) + [0]))
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 0x01
            #expect(!verifier.isValid(signature: changed, for: digest))
        }
        let others: [[UInt8]] = [
            [], [0], signature.dropLast(), signature + [0], [0] + signature,
            [UInt8](repeating: 0, count: signature.count),
        ]
        for other in others {
            #expect(!verifier.isValid(signature: other, for: digest))
        }
    }

    @Test("an ECDSA signature as DER is not valid, JWS wants R and S")
    func derSignature() throws {
        let key = P256.Signing.PrivateKey()
        let input = Array("input".utf8)
        let signature = try key.signature(for: input)
        let verifier = try PublicKey(ecPoint: Array(key.publicKey.x963Representation), on: .p256).verifier(for: .es256)
        #expect(verifier.isValid(signature: Array(signature.rawRepresentation), signingInput: input))
        #expect(!verifier.isValid(signature: Array(signature.derRepresentation), signingInput: input))
    }

    @Test("the digest and its DigestInfo are what openssl signs")
    func digestInfo() {
        // openssl dgst -sha256 -sign, then openssl pkeyutl -verifyrecover, of "hello".
        let expected: [UInt8] = [
            0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
            0x20,
            0x2C, 0xF2, 0x4D, 0xBA, 0x5F, 0xB0, 0xA3, 0x0E, 0x26, 0xE8, 0x3B, 0x2A, 0xC5, 0xB9, 0xE2, 0x9E,
            0x1B, 0x16, 0x1E, 0x5C, 0x1F, 0xA7, 0x42, 0x5E, 0x73, 0x04, 0x33, 0x62, 0x93, 0x8B, 0x98, 0x24,
        ]
        let digest = SigningDigest(of: Array("hello".utf8), for: .rs256)
        #expect(digest.digestInfo == expected)
        #expect(digest.bytes == Array(expected.suffix(32)))
    }

    @Test(
        "each algorithm signs the hash that RFC 7518 gives it, EdDSA the input itself",
        arguments: [
            (JWSAlgorithm.rs256, 32), (.ps256, 32), (.es256, 32), (.es384, 48), (.es512, 64), (.edDSA, 5),
        ])
    func digests(algorithm: JWSAlgorithm, length: Int) {
        let input = Array("hello".utf8)
        let digest = SigningDigest(of: input, for: algorithm)
        #expect(digest.bytes.count == length)
        let expected: [UInt8] =
            switch length {
            case 32: Array(SHA256.hash(data: input))
            case 48: Array(SHA384.hash(data: input))
            case 64: Array(SHA512.hash(data: input))
            default: input
            }
        #expect(digest.bytes == expected)
        #expect((digest.digestInfo != nil) == (length == 32))
    }

    @Test("a digest suits the algorithms that use its hash, and no signature is valid over another", arguments: vectors)
    func suits(vector: Vector) throws {
        let input = Array(vector.signingInput.utf8)
        let signature = try Base64URL.decode(vector.signature)
        let own = SigningDigest(of: input, for: vector.algorithm)
        for algorithm in JWSAlgorithm.allCases {
            let digest = SigningDigest(of: input, for: algorithm)
            #expect(digest.suits(vector.algorithm) == (digest == own), "\(algorithm)")
            #expect(try vector.verifier().isValid(signature: signature, for: digest) == (digest == own), "\(algorithm)")
        }
    }

    @Test("an RSA key's signature is valid for the padding it was made with only")
    func padding() throws {
        let ps256 = try FurtherVector.ps256.key().verifier(for: .rs256)
        #expect(
            try !ps256.isValid(
                signature: Base64URL.decode(FurtherVector.ps256.signature),
                signingInput: Array(FurtherVector.ps256.signingInput.utf8)))
        let rs256 = try PublishedVectors.RSA.key().verifier(for: .ps256)
        #expect(
            try !rs256.isValid(
                signature: Base64URL.decode(PublishedVectors.RSA.signature),
                signingInput: Array(PublishedVectors.RSA.signingInput.utf8)))
    }

    @Test("a PS256 signature with a salt shorter than the hash is not valid")
    func saltLength() throws {
        let verifier = try FurtherVector.ps256.key().verifier(for: .ps256)
        #expect(
            try !verifier.isValid(
                signature: Base64URL.decode(FurtherVector.shortSalt),
                signingInput: Array(FurtherVector.ps256.signingInput.utf8)))
    }

    @Test("a protected header is alg, kid and typ, in this order", arguments: JWSAlgorithm.allCases)
    func header(algorithm: JWSAlgorithm) throws {
        let header = ProtectedHeader(algorithm: algorithm, kid: "k-1_A")
        #expect(header.json == Array(#"{"alg":"\#(algorithm.rawValue)","kid":"k-1_A","typ":"JWT"}"#.utf8))
        #expect(try Base64URL.decode(header.base64URL) == header.json)
    }

    @Test("a JWT is put together from header, payload and signature, and comes apart again")
    func compact() throws {
        let header = ProtectedHeader(algorithm: .es256, kid: "k")
        let payload = Array(#"{"iss":"i"}"#.utf8)
        let input = CompactJWS.signingInput(header, payload: payload)
        var jwt = input
        jwt += [UInt8(ascii: ".")] + Base64URL.encode([1, 2, 3])
        #expect(
            String(decoding: jwt, as: UTF8.self)
                == "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJpIn0.AQID")
        let parsed = try CompactJWS(parsing: jwt)
        #expect(parsed.signingInput == input)
        #expect(parsed.header == header.json)
        #expect(parsed.payload == payload)
        #expect(parsed.signature == [1, 2, 3])
    }

    @Test(
        "text that is not three parts of base64url is refused",
        arguments: [
            "", ".", "..", "e30.e30", "e30.e30.", ".e30.AQID", "e30.e30.AQID.", "e30.e30.AQID.AQID", "e30.e30.AQID=",
            "e30.e30.AQI D", "e30.e31.AQID", "e30.e30.AQID\n", "e30.e3+.AQID",
        ])
    func refuses(text: String) {
        #expect(throws: JOSEError(.compactJWSInvalid, "")) { try CompactJWS(parsing: Array(text.utf8)) }
    }
}
