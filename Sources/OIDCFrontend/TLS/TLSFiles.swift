import Platform

/// Where the certificate and its private key are kept, both in PEM form.
public struct TLSFiles: Sendable, Equatable {
    /// Absolute path of the certificate with its chain, the server's own first.
    public var certificate: String
    /// Absolute path of the private key, without a passphrase.
    public var key: String

    /// Touches nothing yet.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    /// A text that differs once either file was written or replaced; nil when one is not there.
    ///
    /// Blocks on the disk.
    var identity: String? {
        guard let certificate = try? FileIdentity.of(certificate), let key = try? FileIdentity.of(key) else { return nil }
        return "\(certificate) \(key)"
    }
}
