/// One signature to be made.
struct SigningJob: Sendable {
    let key: KeyReference
    let input: SigningInput
    /// The user it is for: users take turns.
    let uid: UInt32
    /// On the monotonic clock, in nanoseconds. A job that waited longer is not begun.
    let deadline: Int64
    /// Called once, on the thread that signed or gave up. The signature is as JWS wants it.
    let completion: @Sendable (Result<[UInt8], HSMError>) -> Void
}
