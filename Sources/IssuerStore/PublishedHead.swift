/// The last record of an agent's audit log that its audit key has signed, as the agent shows it to the others of its fleet.
///
/// Whoever can write to the store can put anything here: only the signature vouches for it.
public struct PublishedHead: Hashable, Sendable {
    /// The agent's id.
    public var agent: String
    /// The record's number.
    public var seq: UInt64
    /// The SHA-256 of the record's line: 64 lower-case hexadecimal digits.
    public var hash: String
    /// Of the audit key.
    public var kid: String
    /// base64url.
    public var signature: String
    /// By the agent's wall clock, in milliseconds since 1970.
    public var signedAt: Int64

    public init(agent: String, seq: UInt64, hash: String, kid: String, signature: String, signedAt: Int64) {
        self.agent = agent
        self.seq = seq
        self.hash = hash
        self.kid = kid
        self.signature = signature
        self.signedAt = signedAt
    }
}
