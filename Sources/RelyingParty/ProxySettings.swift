import AsyncHTTPClient
import Foundation

/// The HTTP proxy that an environment names for https, by the variables that curl reads: `https_proxy` or `HTTPS_PROXY`, else `all_proxy`
/// or `ALL_PROXY`, with the exceptions of `no_proxy` or `NO_PROXY`. To an http server, which is on loopback, none leads.
public struct ProxySettings: Sendable {
    private let https: String?
    private let exceptions: [String]

    /// No proxy.
    public static let none = ProxySettings { _ in nil }

    /// Those of an environment.
    public init(environment: (String) -> String?) {
        func first(_ names: String...) -> String? { names.compactMap { environment($0) }.first { !$0.isEmpty } }
        https = first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        exceptions = (first("no_proxy", "NO_PROXY") ?? "").lowercased().split { $0 == "," || $0 == " " }.map {
            String($0.drop { $0 == "." })
        }
    }

    /// - Throws: ``VerificationError/Code/proxyInvalid``.
    func proxy(for url: URL) throws(VerificationError) -> HTTPClient.Configuration.Proxy? {
        guard let https, url.scheme?.lowercased() == "https", let host = url.host()?.lowercased(),
            !exceptions.contains(where: { $0 == "*" || $0 == host || host.hasSuffix(".\($0)") })
        else { return nil }
        guard let proxy = URL(string: https.contains("://") ? https : "http://\(https)"), proxy.scheme?.lowercased() == "http",
            let name = proxy.host(), !name.isEmpty
        else {
            throw VerificationError(
                .proxyInvalid, "the proxy that the environment names for https://\(host) is no http URL",
                hint: "Set https_proxy to http://HOST:PORT, or the host in no_proxy.")
        }
        let user = proxy.user(percentEncoded: false)
        return .server(
            host: name, port: proxy.port ?? 1080,
            authorization: user.map { .basic(username: $0, password: proxy.password(percentEncoded: false) ?? "") })
    }
}
