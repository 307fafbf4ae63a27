import Crypto
import CryptoExtras

/// A public key prepared for one algorithm: made once per key, used for every signature, from any thread.
public struct SignatureVerifier: Sendable {
    private enum Key: Sendable {
        case rsaPKCS1(_RSA.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
    }

    /// The algorithm whose signatures it checks.
    public let algorithm: JWSAlgorithm

    private let key: Key

    init(_ publicKey: PublicKey, _ algorithm: JWSAlgorithm) throws(JOSEError) {
        self.algorithm = algorithm
        do {
            switch (algorithm, publicKey.parameters) {
            case (.rs256, .rsa(let modulus, let exponent)):
                key = .rsaPKCS1(try _RSA.Signing.PublicKey(n: modulus, e: exponent))
            case (.es256, .p256(let x, let y)):
                key = .p256(try P256.Signing.PublicKey(x963Representation: [0x04] + x + y))
            case (.rs256, .p256), (.es256, .rsa):
                throw JOSEError(
                    .algorithmMismatch,
                    "\(algorithm.rawValue) does not go with a key of type \(publicKey.keyType.rawValue)")
            }
        } catch let error as JOSEError {
            throw error
        } catch {
            throw JOSEError(.keyInvalid, "the crypto library does not take the public key", cause: error)
        }
    }

    /// Whether `signature` is this key's over the signing input that `digest` was made of.
    ///
    /// A signature of another length is not valid: RS256 has as many bytes as the modulus, ES256 is R‖S of 32 bytes each.
    public func isValid(signature: [UInt8], for digest: SigningDigest) -> Bool {
        switch key {
        case .rsaPKCS1(let key):
            return key.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: digest.sha256, padding: .insecurePKCS1v1_5
            )
        case .p256(let key):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: digest.sha256)
        }
    }

    /// Whether `signature` is this key's over `signingInput`.
    public func isValid(signature: [UInt8], signingInput: [UInt8]) -> Bool {
        isValid(signature: signature, for: SigningDigest(of: signingInput))
    }
}

extension PublicKey {
    /// The key prepared to check signatures of `algorithm`.
    ///
    /// - Throws: ``JOSEError/Code/algorithmMismatch`` when the algorithm belongs to another key type.
    public func verifier(for algorithm: JWSAlgorithm) throws(JOSEError) -> SignatureVerifier {
        try SignatureVerifier(self, algorithm)
    }
}
