import Foundation

/// Where a member of an etcd cluster listens for clients: `https://etcd-1.example:2379`.
public struct EtcdEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// Scheme, host and port, without a slash at the end.
    public let url: String
    /// Whether it is spoken to over TLS.
    public let isSecure: Bool

    private static let port = 2_379

    /// `nil` unless the text is an http or https URL of a host, with or without a port, and of nothing else.
    public init?(_ text: String) {
        guard let components = URLComponents(string: text), let host = components.host, !host.isEmpty,
            let scheme = components.scheme?.lowercased(), ["http", "https"].contains(scheme),
            components.path.isEmpty || components.path == "/", components.query == nil, components.fragment == nil,
            components.user == nil, components.password == nil
        else { return nil }
        let bracketed = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        url = "\(scheme)://\(bracketed):\(components.port ?? Self.port)"
        isSecure = scheme == "https"
    }

    public var description: String { url }
}
