import KeyLifecycle
import Platform

/// Under which origin issuer URLs are minted, and which issuers have one elsewhere.
struct IssuerURLs: Sendable {
    /// The origin of URLs minted from now on, without a trailing slash. URLs in force stay.
    private(set) var publicBaseURL: String
    /// The path segment of every URL of the deployment.
    private let tenant: String

    init(publicBaseURL: String, tenant: String) {
        self.publicBaseURL = publicBaseURL
        self.tenant = tenant
    }

    /// - Returns: whether URLs are minted under another origin from now on.
    mutating func move(to publicBaseURL: String) -> Bool {
        guard publicBaseURL != self.publicBaseURL else { return false }
        self.publicBaseURL = publicBaseURL
        return true
    }

    /// `{publicBaseURL}/{tenant}/{uuid}/`, with a fresh random uuid.
    func mint() -> String {
        "\(publicBaseURL)/\(tenant)/\(SystemRandom.uuid())/"
    }

    /// Those whose URL is not under the origin, in their order.
    func elsewhere(among issuers: [Issuer]) -> [IssuerName] {
        issuers.filter { issuer in
            guard case .enabled(let url) = issuer.profile else { return false }
            return !url.utf8.starts(with: "\(publicBaseURL)/".utf8)
        }.map(\.name)
    }
}
