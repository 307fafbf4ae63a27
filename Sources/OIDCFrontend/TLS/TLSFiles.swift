public import Platform

/// Where the certificate and its private key are kept, both in PEM form.
public struct TLSFiles: Sendable, Equatable {
    /// Absolute path of the certificate with its chain, the server's own first.
    public var certificate: String
    /// Absolute path of the private key, without a passphrase.
    public var key: String
    /// Directories in which others could put files by their mode, and do not.
    public var trusted: TrustedDirectories

    /// Touches nothing yet.
    public init(certificate: String, key: String, trusting trusted: TrustedDirectories = .none) {
        self.certificate = certificate
        self.key = key
        self.trusted = trusted
    }

    /// A text that differs once either file was written or replaced; nil when one is not there.
    ///
    /// Blocks on the disk.
    var identity: String? {
        guard let certificate = try? FileIdentity.of(certificate), let key = try? FileIdentity.of(key) else { return nil }
        return "\(certificate) \(key)"
    }
}
