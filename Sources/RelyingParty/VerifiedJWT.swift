/// A JWT whose signature and claims have been checked.
///
/// Its description names the key and nothing of the payload.
public struct VerifiedJWT: Sendable, CustomStringConvertible {
    /// What the protected header says.
    public struct Header: Sendable, Equatable {
        /// The JWA name of the algorithm.
        public let alg: String
        /// The id of the key that signed.
        public let kid: String
    }

    /// The protected header.
    public let header: Header
    /// The registered claims that were looked at.
    public let claims: Claims
    /// The claims set's JSON, byte for byte as it was signed.
    public let payload: [UInt8]

    /// The algorithm and the key.
    public var description: String {
        "JWT signed with \(header.alg) by key \(header.kid)"
    }
}
