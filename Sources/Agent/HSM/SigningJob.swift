/// One signature to be made, and who waits for it.
protocol SigningJob: AnyObject, Sendable {
    var key: KeyReference { get }
    /// The user it is for: users take turns.
    var uid: UInt32 { get }

    /// What the JWS signs (RFC 7515 §5.1), made by the thread that signs: who reads has other things to do. Made anew
    /// when the signature is tried again.
    func signingInput() -> [UInt8]

    /// Called once, on the thread that signed or gave up.
    func end(_ result: Result<SignedInput, HSMError>)

    /// Does something by which several jobs end, this one among them: what their ends have in common is done once.
    func endTogether(_ work: () -> Void)
}

/// What was signed, and the signature as JWS wants it.
struct SignedInput: Sendable {
    let input: [UInt8]
    let signature: [UInt8]
}
