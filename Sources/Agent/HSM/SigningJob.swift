import JOSE

/// One signature to be made.
struct SigningJob: Sendable {
    let key: KeyReference
    let digest: SigningDigest
    /// On the monotonic clock, in nanoseconds. A job that waited longer is not begun.
    let deadline: Int64
    /// Called once, on the thread that signed or gave up. The signature is as JWS wants it.
    let completion: @Sendable (Result<[UInt8], HSMError>) -> Void
}
