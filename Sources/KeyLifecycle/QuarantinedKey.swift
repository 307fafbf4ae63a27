/// A key pair on the token that belongs to the deployment and that no ring vouches for: recorded, unpublished, signing
/// nothing, and kept until an operator has it destroyed.
public struct QuarantinedKey: Hashable, Sendable {
    public let keyID: KeyID
    /// `nil` when the token shows no public key that could be read.
    public let kid: String?
    /// The issuer its label names.
    public let issuer: IssuerName
    /// SubjectPublicKeyInfo, DER; `nil` with `kid`.
    public let publicKey: [UInt8]?
    /// When it was put there.
    public let since: Timestamp

    public init(keyID: KeyID, kid: String?, issuer: IssuerName, publicKey: [UInt8]?, since: Timestamp) {
        self.keyID = keyID
        self.kid = kid
        self.issuer = issuer
        self.publicKey = publicKey
        self.since = since
    }

    init(_ key: SigningKey, of issuer: IssuerName, since moment: Timestamp) {
        self.init(keyID: key.keyID, kid: key.kid, issuer: issuer, publicKey: key.publicKey, since: moment)
    }

    /// What an operator calls it: its kid, or without one its `CKA_ID`.
    public var name: String { kid ?? "\(keyID)" }
}
