public import AgentProtocol
import NIOSSL
import Platform

/// A certificate with its chain and the private key that belongs to it.
public struct ServerCertificate: Sendable {
    /// The last second in which the certificate is valid (RFC 5280 §4.1.2.5).
    public let endsAt: WireTime
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey

    /// Days before its end from which on a certificate is worth a warning.
    static let noticeDays: Int64 = 14
    private static let certificateLimit = 1 << 20
    private static let keyLimit = 1 << 16

    /// Reads both files and sees whether the certificate can be served with this key at `time`.
    ///
    /// Throws `certificateUnusable` when a file cannot be read, is not what it has to be, can be changed (the key: or read) by
    /// others, or when the two do not belong together; `certificateNotValid` before and after the certificate's time. Blocks on
    /// the disk.
    public init(reading files: TLSFiles, at time: Moment) throws(FrontendError) {
        chain = try Self.readChain(files)
        key = try Self.readKey(files)
        do {
            _ = try NIOSSLContext(configuration: .serving(chain, key))
        } catch {
            throw FrontendError(
                .certificateUnusable,
                "the private key \(files.key) does not belong to the first certificate in \(files.certificate)",
                hint: "name the key that the certificate was made for; the server's own certificate comes first in its file",
                cause: error)
        }
        endsAt = WireTime(seconds: Int64(chain[0].notValidAfter))
        let begins = WireTime(seconds: Int64(chain[0].notValidBefore))
        guard time.hasReached(begins) else {
            throw FrontendError(
                .certificateNotValid,
                "the certificate in \(files.certificate) is valid from \(begins.text) on, and it is \(time.wireTime.text)",
                hint: "correct the clock, or wait")
        }
        guard !hasEnded(at: time) else {
            throw FrontendError(
                .certificateNotValid, "the certificate in \(files.certificate) was valid until \(endsAt.text)",
                hint: "renew it, and see why that has not been done")
        }
    }

    /// One line when the certificate will end within 14 days, or has ended; nil otherwise.
    public func warning(at time: Moment) -> String? {
        if hasEnded(at: time) { return "the TLS certificate was valid until \(endsAt.text): clients refuse it" }
        let left = endsAt.seconds - time.seconds
        guard left < Self.noticeDays * 86_400 else { return nil }
        return "the TLS certificate is valid until \(endsAt.text) only, \(left / 86_400) days from now"
    }

    func hasEnded(at time: Moment) -> Bool { time.seconds > endsAt.seconds }

    private static func readChain(_ files: TLSFiles) throws(FrontendError) -> [NIOSSLCertificate] {
        let path = files.certificate
        let bytes: [UInt8]
        do {
            bytes = try RegularFile.readTrusted(path: path, limit: certificateLimit, trusting: files.trusted)
        } catch {
            throw FrontendError(
                .certificateUnusable, "the TLS certificate \(path) cannot be used: \(error.message)", hint: error.hint,
                cause: error)
        }
        guard !bytes.isEmpty, let chain = try? NIOSSLCertificate.fromPEMBytes(bytes), !chain.isEmpty else {
            throw FrontendError(
                .certificateUnusable, "\(path) does not hold certificates in PEM form",
                hint: "name the file with the whole chain, the server's own certificate first")
        }
        return chain
    }

    private static func readKey(_ files: TLSFiles) throws(FrontendError) -> NIOSSLPrivateKey {
        let path = files.key
        var bytes: [UInt8]
        do {
            bytes = try SecretFile.readTrusted(path: path, limit: keyLimit, trusting: files.trusted)
        } catch {
            throw FrontendError(
                .certificateUnusable, "the TLS key \(path) cannot be used: \(error.message)", hint: error.hint, cause: error)
        }
        defer { SecretBytes.wipe(&bytes) }
        guard let key = try? NIOSSLPrivateKey(bytes: bytes, format: .pem) else {
            throw FrontendError(
                .certificateUnusable, "\(path) does not hold a private key in PEM form that can be used",
                hint: "name the file with the private key; it must not be encrypted with a passphrase")
        }
        return key
    }
}

extension ServerCertificate: Equatable {
    /// Whether both have the same chain and key.
    public static func == (left: ServerCertificate, right: ServerCertificate) -> Bool {
        left.chain == right.chain && left.key == right.key
    }
}
