import Foundation
import JOSE
import JWTKit

/// The keys of a JSON Web Key Set that can verify JWTs, each prepared once.
struct PublishedKeys: Sendable {
    /// A key and the algorithm it is published for.
    struct Key: Sendable {
        let alg: String
        fileprivate let algorithm: any JWTAlgorithm

        /// Whether jwt-kit takes the signature; what it throws at is none.
        func isValid(signature: [UInt8], signingInput: [UInt8]) -> Bool {
            (try? algorithm.verify(signature, signs: signingInput)) == true
        }
    }

    private let keys: [String: Key]

    /// The usable keys of a JWK set: those for signing, with `kid` and `alg`, of a type known here.
    ///
    /// Others are passed over, as RFC 7517 §5 has it: a set may hold keys for other purposes and of later types.
    init(keySet: [UInt8]) async throws(VerificationError) {
        let entries: [Entry]
        do {
            entries = try JSONDecoder().decode(KeySet.self, from: Data(keySet)).keys
        } catch {
            throw VerificationError(
                .keySetInvalid, "the key set is not a JSON Web Key Set",
                hint: "Give the JSON that the issuer serves at its jwks_uri: an object with the member \"keys\".",
                cause: error)
        }
        var keys: [String: Key] = [:]
        for case .key(let kid, let jwk) in entries {
            guard keys[kid] == nil else {
                throw VerificationError(
                    .keySetInvalid, "the key set has two keys with the kid \(String(reflecting: kid))",
                    hint: "The issuer must publish every kid once; report it to whoever runs the issuer.")
            }
            // A collection of one, so that jwt-kit cannot fall back to a default key.
            guard let alg = jwk.algorithm?.rawValue, Self.isUsable(jwk),
                let collection = try? await JWTKeyCollection().add(jwk: jwk),
                let algorithm = try? await collection.getKey(for: JWKIdentifier(string: kid))
            else { continue }
            keys[kid] = Key(alg: alg, algorithm: algorithm)
        }
        self.keys = keys
    }

    /// Whether an RSA key has the numbers of one that may be used (RFC 7518 §3.3), and another the curve of its algorithm:
    /// jwt-kit takes short RSA keys, and does not look at the curve of an EC key.
    private static func isUsable(_ jwk: JWTKit.JWK) -> Bool {
        guard jwk.keyType == .rsa else {
            let algorithm = jwk.algorithm.flatMap { JWSAlgorithm(rawValue: $0.rawValue) }
            return algorithm.map { "\($0.keyType)" } == jwk.curve?.rawValue
        }
        guard let n = jwk.modulus, let e = jwk.exponent,
            let modulus = try? Base64URL.decode(n), let exponent = try? Base64URL.decode(e)
        else { return false }
        return (try? PublicKey(rsaModulus: modulus, exponent: exponent)) != nil
    }

    subscript(kid: String) -> Key? { keys[kid] }

    /// The kids there are, sorted.
    var kids: [String] { keys.keys.sorted() }
}

private struct KeySet: Decodable {
    let keys: [Entry]
}

/// A member of a key set, or that it is none for us.
private enum Entry: Decodable {
    case key(kid: String, JWTKit.JWK)
    case unusable

    private enum CodingKeys: String, CodingKey {
        case use, kid, kty, alg
    }

    init(from decoder: any Decoder) throws {
        // The algorithms the product signs with; jwt-kit would take symmetric and weaker ones too.
        let signatureAlgorithms = Set(JWSAlgorithm.allCases.map(\.rawValue))
        guard let members = try? decoder.container(keyedBy: CodingKeys.self),
            let kid = try? members.decode(String.self, forKey: .kid),
            let alg = try? members.decode(String.self, forKey: .alg), signatureAlgorithms.contains(alg),
            !members.contains(.use) || (try? members.decode(String.self, forKey: .use)) == "sig",
            let jwk = try? JWTKit.JWK(from: decoder)
        else {
            self = .unusable
            return
        }
        self = .key(kid: kid, jwk)
    }
}
