import Crypto
import CryptoExtras
import PKCS11
import SoftHSMSupport
import Testing

@Suite("Signing")
struct SigningTests {
    /// The DER in front of a SHA-256 digest in a DigestInfo (RFC 8017 §9.2, note 1).
    static let sha256DigestInfo: [UInt8] = [
        0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
    ]
    static let message = Array("carried to its keeper".utf8)

    @Test("an RSA signature verifies with the public key read from the token", arguments: [2048, 3072])
    func rsa(modulusBits: Int) throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.rsa(modulusBits: modulusBits), id: [1, 2], label: "rsa")
            let data = Self.sha256DigestInfo + Array(SHA256.hash(data: Self.message))

            let signature = try session.sign(data, with: .rsaPKCS, key: pair.privateKey)

            #expect(signature.count == modulusBits / 8)
            guard case .rsa(let modulus, let exponent) = try session.publicKey(of: pair.publicKey) else {
                Issue.record("the key is no RSA key")
                return
            }
            #expect(modulus.count == modulusBits / 8)
            #expect(exponent == [1, 0, 1])
            let key = try _RSA.Signing.PublicKey(n: modulus, e: exponent)
            #expect(
                key.isValidSignature(
                    .init(rawRepresentation: signature), for: SHA256.hash(data: Self.message),
                    padding: .insecurePKCS1v1_5))
        }
    }

    @Test("a mechanism's parameter reaches the token: an RSA-PSS signature verifies")
    func pss() throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.rsa(modulusBits: 2048), id: [1], label: "rsa")
            // CK_RSA_PKCS_PSS_PARAMS: CKM_SHA256, CKG_MGF1_SHA256, a salt of 32 bytes.
            let parameter = [0x250, 0x2, 32].flatMap { (number: UInt64) in
                (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
            }

            let signature = try session.sign(
                Array(SHA256.hash(data: Self.message)), with: Mechanism(.rsaPKCSPSS, parameter: parameter),
                key: pair.privateKey)

            guard case .rsa(let modulus, let exponent) = try session.publicKey(of: pair.publicKey) else {
                Issue.record("the key is no RSA key")
                return
            }
            let key = try _RSA.Signing.PublicKey(n: modulus, e: exponent)
            #expect(
                key.isValidSignature(
                    .init(rawRepresentation: signature), for: SHA256.hash(data: Self.message), padding: .PSS))
        }
    }

    @Test("a PSS signature verifies, by the parameter that Mechanism makes")
    func pssConstant() throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.rsa(modulusBits: 2048), id: [1], label: "rsa")
            let digest = SHA256.hash(data: Self.message)
            let signature = try session.sign(Array(digest), with: .rsaPKCSPSSWithSHA256, key: pair.privateKey)
            guard case .rsa(let modulus, let exponent) = try session.publicKey(of: pair.publicKey) else {
                Issue.record("the key is no RSA key")
                return
            }
            #expect(
                try _RSA.Signing.PublicKey(n: modulus, e: exponent).isValidSignature(
                    .init(rawRepresentation: signature), for: digest, padding: .PSS))
        }
    }

    @Test("an Ed25519 signature over the message itself verifies, however the curve was spelt", arguments: Edwards25519.allCases)
    func ed25519(spelling: Edwards25519) throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.ed25519(spelling), id: [4], label: "ed")
            #expect(try session.number(.keyType, of: pair.privateKey) == KeyType.ecEdwards.rawValue)
            guard case .ed25519(let bytes) = try session.publicKey(of: pair.publicKey) else {
                Issue.record("the key is no Ed25519 key")
                return
            }
            let key = try Curve25519.Signing.PublicKey(rawRepresentation: bytes)
            for length in [0, 1, 63, 1000] {
                let message = [UInt8](repeating: 0x61, count: length)
                let signature = try session.sign(message, with: .edDSA, key: pair.privateKey)
                #expect(signature.count == 64)
                #expect(key.isValidSignature(signature, for: message))
            }
        }
    }

    @Test("an ECDSA signature verifies with the public key read from the token", arguments: ["P-256", "P-384", "P-521"])
    func ecdsa(curveName: String) throws {
        try SoftHSMToken.with { token in
            let curve = try #require([EllipticCurve.p256, .p384, .p521].first { $0.name == curveName })
            let session = try token.session()
            let pair = try session.generateKeyPair(.ec(curve), id: [3], label: "ec")
            guard case .ec(curve, let point) = try session.publicKey(of: pair.publicKey) else {
                Issue.record("the key is not on \(curve)")
                return
            }
            // Often enough that a half with a leading zero is among them now and then.
            for round in 0..<50 {
                let message = Self.message + [UInt8(round)]
                let digest = SHA256.hash(data: message)
                let signature = try curve.fixedWidthSignature(
                    session.sign(Array(digest), with: .ecdsa, key: pair.privateKey))
                #expect(signature.count == 2 * curve.coordinateLength)
                let isValid =
                    switch curve {
                    case .p256:
                        try P256.Signing.PublicKey(x963Representation: point)
                            .isValidSignature(.init(rawRepresentation: signature), for: digest)
                    case .p384:
                        try P384.Signing.PublicKey(x963Representation: point)
                            .isValidSignature(.init(rawRepresentation: signature), for: digest)
                    default:
                        try P521.Signing.PublicKey(x963Representation: point)
                            .isValidSignature(.init(rawRepresentation: signature), for: digest)
                    }
                #expect(isValid)
            }
        }
    }
}
