import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL
import Platform

/// Why TLS did not come about.
///
/// BoringSSL says that a certificate was not accepted in the words of its log only. So the server is asked again without verifying
/// anything: if TLS comes about then, it was the certificate. No request is sent.
enum TLSFault {
    static func explanation(
        of error: NIOSSLError, at url: URL, _ configuration: HTTPClient.Configuration
    ) async -> VerificationError {
        guard let certificate = await certificate(shownAt: url, configuration) else {
            return VerificationError(
                .unreachable, "TLS with \(server(url)) did not come about: \(error)",
                hint: "Check that it is an https server that listens there, of TLS 1.2 or 1.3.", cause: error)
        }
        let validity = "valid from \(text(certificate.notValidBefore)) to \(text(certificate.notValidAfter))"
        return VerificationError(
            .certificateUntrusted, "the certificate of \(server(url)), \(validity), is not accepted",
            hint:
                "If it is in force, name the authority that issued it: --ca-file FILE, or SSL_CERT_FILE; if not, its server has to renew it.",
            cause: error)
    }

    static func otherName(_ url: URL, _ error: any Error) -> VerificationError {
        VerificationError(
            .certificateUntrusted, "the certificate of \(server(url)) is for another name",
            hint: "Ask for the issuer by a name that its certificate has, or have it issued for this one.", cause: error)
    }

    /// What the server shows when nothing is verified; nil when TLS does not come about even so.
    private static func certificate(
        shownAt url: URL, _ configuration: HTTPClient.Configuration
    ) async -> NIOSSLCertificate? {
        let shown = Locked<NIOSSLCertificate?>(nil)
        var configuration = configuration
        configuration.tlsConfiguration?.certificateVerification = .none
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.nioSSL_peerCertificate().flatMapThrowing { certificate in
                shown.withLock { $0 = certificate }
                throw Seen()
            }
        }
        try? await HTTPDocument.withClient(configuration) { client in
            _ = try await client.execute(HTTPClientRequest(url: url.absoluteString), deadline: .distantFuture)
        }
        return shown.withLock { $0 }
    }

    /// Ends the connection before anything is asked on it.
    private struct Seen: Error {}

    private static func server(_ url: URL) -> String {
        "\(url.host() ?? "")\(url.port.map { ":\($0)" } ?? "")"
    }

    private static func text(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: Double(seconds)).ISO8601Format()
    }
}
