import Crypto
import CryptoExtras

/// A public key prepared for one algorithm: made once per key, used for every signature, from any thread.
public struct SignatureVerifier: Sendable {
    private enum Key: Sendable {
        case rsa(_RSA.Signing.PublicKey, _RSA.Signing.Padding)
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
    }

    /// The algorithm whose signatures it checks.
    public let algorithm: JWSAlgorithm

    private let key: Key

    init(_ publicKey: PublicKey, _ algorithm: JWSAlgorithm) throws(JOSEError) {
        self.algorithm = algorithm
        try publicKey.require(algorithm)
        do {
            switch publicKey.parameters {
            case .rsa(let modulus, let exponent):
                // With PSS, swift-crypto takes the salt to be as long as the hash and MGF1 to use the same hash.
                key = .rsa(
                    try _RSA.Signing.PublicKey(n: modulus, e: exponent),
                    algorithm == .ps256 ? .PSS : .insecurePKCS1v1_5)
            case .ec(.p256, let x, let y):
                key = .p256(try P256.Signing.PublicKey(x963Representation: [0x04] + x + y))
            case .ec(.p384, let x, let y):
                key = .p384(try P384.Signing.PublicKey(x963Representation: [0x04] + x + y))
            case .ec(.p521, let x, let y):
                key = .p521(try P521.Signing.PublicKey(x963Representation: [0x04] + x + y))
            case .ed25519(let bytes):
                key = .ed25519(try Curve25519.Signing.PublicKey(rawRepresentation: bytes))
            }
        } catch {
            throw JOSEError(.keyInvalid, "the crypto library does not take the public key", cause: error)
        }
    }

    /// Whether `signature` is this key's over the signing input that `digest` was made of.
    ///
    /// A signature of another length is not valid: RSA's has as many bytes as the modulus, ECDSA's is R‖S of a coordinate's
    /// length each, Ed25519's has 64. Nor is any over a digest that was made for another algorithm.
    public func isValid(signature: [UInt8], for digest: SigningDigest) -> Bool {
        switch (key, digest.content) {
        case (.rsa(let key, let padding), .sha256(let digest)):
            return key.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: digest, padding: padding)
        case (.p256(let key), .sha256(let digest)):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: digest)
        case (.p384(let key), .sha384(let digest)):
            guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: digest)
        case (.p521(let key), .sha512(let digest)):
            guard let signature = try? P521.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: digest)
        case (.ed25519(let key), .message(let message)):
            return signature.count == Self.ed25519SignatureLength && key.isValidSignature(signature, for: message)
        default:
            return false
        }
    }

    /// Whether `signature` is this key's over `signingInput`.
    public func isValid(signature: [UInt8], signingInput: [UInt8]) -> Bool {
        isValid(signature: signature, for: SigningDigest(of: signingInput, for: algorithm))
    }

    private static let ed25519SignatureLength = 64
}

extension PublicKey {
    /// The key prepared to check signatures of `algorithm`.
    ///
    /// - Throws: ``JOSEError/Code/algorithmMismatch`` when the algorithm belongs to another key type.
    public func verifier(for algorithm: JWSAlgorithm) throws(JOSEError) -> SignatureVerifier {
        try SignatureVerifier(self, algorithm)
    }

    /// - Throws: ``JOSEError/Code/algorithmMismatch`` when the algorithm belongs to another key type.
    func require(_ algorithm: JWSAlgorithm) throws(JOSEError) {
        guard algorithm.keyType == keyType else {
            throw JOSEError(.algorithmMismatch, "\(algorithm.rawValue) does not go with a key of type \(keyType)")
        }
    }
}
