import NIOCore
import NIOSSL
import Platform

/// The certificate in force, taken by each handshake and replaced when it was renewed.
///
/// Connections that are open keep the one they began with.
public final class LiveCertificate: Sendable {
    private let certificate: Locked<ServerCertificate>
    private let renewalFailure = Locked(FrontendError?.none)

    /// Starts with a certificate.
    public init(_ certificate: ServerCertificate) {
        self.certificate = Locked(certificate)
    }

    /// The one that the next handshake takes.
    public var current: ServerCertificate { certificate.withLock { $0 } }

    /// Why the files could not be used when they were last read; nil when they could.
    public var failure: FrontendError? { renewalFailure.withLock { $0 } }

    /// Notes what came of reading the files again.
    func note(_ failure: FrontendError?) {
        renewalFailure.withLock { $0 = failure }
    }

    /// From now on handshakes take another.
    func replace(by new: ServerCertificate) {
        certificate.withLock { $0 = new }
    }

    /// For the listener, once and for all.
    var configuration: TLSConfiguration {
        let now = current
        var configuration = TLSConfiguration.serving(now.chain, now.key)
        configuration.sslContextCallback = { [self] _, promise in
            let now = current
            var answer = NIOSSLContextConfigurationOverride.noChanges
            answer.certificateChain = now.chain.map { .certificate($0) }
            answer.privateKey = .privateKey(now.key)
            promise.succeed(answer)
        }
        return configuration
    }
}
