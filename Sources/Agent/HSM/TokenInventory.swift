import IssuerStore
import KeyLifecycle

/// The key objects a token shows, as of one moment.
struct TokenInventory: Hashable, Sendable {
    /// The objects under one `CKA_ID`.
    struct Entry: Hashable, Sendable {
        let keyID: KeyID
        /// `nil` for a label that no PrivySeal gives.
        let label: KeyLabel?
        let privateKeys: Int
        let publicKeys: Int
        /// SubjectPublicKeyInfo of the public half; `nil` unless there is exactly one and it can be read.
        let publicKey: [UInt8]?
    }

    let token: TokenIdentity
    /// Of the module's initialisation that it was made under.
    let tokenGeneration: Int
    /// By `CKA_ID`: what has a PrivySeal's label, and what the store was said to know.
    let entries: [KeyID: Entry]
    /// Key objects without `CKA_ID`, such as SoftHSM leaves when it is killed while it generates.
    let withoutID: Int
    /// Key objects of others.
    let foreign: Int
}

/// A key pair that has to go from the token.
struct DoomedKey: Hashable, Sendable {
    let keyID: KeyID
    /// SubjectPublicKeyInfo, if the pair was ever seen: what has another one is another pair.
    let publicKey: [UInt8]?
    let label: KeyLabel
    /// The token generation that was looked at: nothing is destroyed under a later one, which may be another token.
    let tokenGeneration: Int
    /// Whether the token has shown another key of the store. If not, only the pair's own public key says whose token it is.
    let isTokenProven: Bool

    enum Outcome: Hashable, Sendable {
        case destroyed
        /// The token shows no object with this `CKA_ID`.
        case absent
        /// The token shows another pair under the `CKA_ID`; it is left alone.
        case differs
        /// It may be the pair, and nothing says that this is the token it was made on.
        case unproven
    }
}
