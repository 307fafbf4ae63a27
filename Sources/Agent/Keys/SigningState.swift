import KeyLifecycle

/// What a sign request needs of its issuer: an immutable value, replaced as a whole when the issuer changes.
struct SigningState: Sendable {
    let key: KeyReference
    let policy: ClaimsPolicy
    /// While a rotation is being committed, JWTs are dated no later than this: the end of the outgoing key is already
    /// decided, and no JWT may outlive it.
    var datedAtMost: Timestamp?
}
