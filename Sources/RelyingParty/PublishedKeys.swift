import Foundation
import JOSE
import JWTKit

/// The keys of a JSON Web Key Set that can verify JWTs, each prepared once.
struct PublishedKeys: Sendable {
    /// A key, and the algorithms it may have signed with.
    struct Key: Sendable {
        /// Whether the set names its algorithm; otherwise it has all that its type serves.
        let isDeclared: Bool
        fileprivate let algorithms: [String: any JWTAlgorithm]

        /// Their JWA names, sorted.
        var names: [String] { algorithms.keys.sorted() }

        /// Whether jwt-kit takes the signature for one by this algorithm; what it throws at is none.
        func isValid(signature: [UInt8], signingInput: [UInt8], by alg: String) -> Bool {
            (try? algorithms[alg]?.verify(signature, signs: signingInput)) == true
        }
    }

    private let keys: [String: Key]
    /// Why keys that cannot be used were passed over, by kid.
    private let reasons: [String: String]

    /// The usable keys of a JWK set: those for signing, with a `kid`, of a type known here. One without `alg`, which is optional
    /// (RFC 7517 §4.4), serves every algorithm of its type and curve.
    ///
    /// Others are passed over, as RFC 7517 §5 has it: a set may hold keys for other purposes and of later types.
    init(keySet: [UInt8]) async throws(VerificationError) {
        let entries: [PublishedKey]
        do {
            entries = try JSONDecoder().decode(KeySet.self, from: Data(keySet)).keys
        } catch {
            throw VerificationError(
                .keySetInvalid, "the key set is not a JSON Web Key Set",
                hint: "Give the JSON that the issuer serves at its jwks_uri: an object with the member \"keys\".",
                cause: error)
        }
        var keys: [String: Key] = [:]
        var reasons: [String: String] = [:]
        for entry in entries {
            switch entry {
            case .usable(let kid, let jwk, let candidates):
                guard keys[kid] == nil else {
                    throw VerificationError(
                        .keySetInvalid, "the key set has two keys with the kid \(String(reflecting: kid))",
                        hint: "The issuer must publish every kid once; report it to whoever runs the issuer.")
                }
                let algorithms = await Self.prepared(jwk, kid, for: candidates)
                if algorithms.isEmpty {
                    reasons[kid] = "its members are no public key of that type"
                } else {
                    keys[kid] = Key(isDeclared: jwk.algorithm != nil, algorithms: algorithms)
                }
            case .passedOver(let kid?, let why): reasons[kid] = why
            case .passedOver(nil, _): break
            }
        }
        self.keys = keys
        self.reasons = reasons
    }

    private static func prepared(
        _ jwk: JWTKit.JWK, _ kid: String, for candidates: [JWSAlgorithm]
    ) async -> [String: any JWTAlgorithm] {
        var algorithms: [String: any JWTAlgorithm] = [:]
        for candidate in candidates {
            var jwk = jwk
            jwk.algorithm = JWTKit.JWK.Algorithm(rawValue: candidate.rawValue)
            // A collection of one, so that jwt-kit cannot fall back to a default key.
            guard let collection = try? await JWTKeyCollection().add(jwk: jwk),
                let algorithm = try? await collection.getKey(for: JWKIdentifier(string: kid))
            else { continue }
            algorithms[candidate.rawValue] = algorithm
        }
        return algorithms
    }

    subscript(kid: String) -> Key? { keys[kid] }

    /// Why the key with this kid was passed over; nil when the set has none with it.
    func reason(passingOver kid: String) -> String? { reasons[kid] }

    /// Whether there is no key that can be used.
    var isEmpty: Bool { keys.isEmpty }
}

private struct KeySet: Decodable {
    let keys: [PublishedKey]
}
