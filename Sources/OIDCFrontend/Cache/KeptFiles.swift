import AgentProtocol

/// The content of a cache file. `format` tells it from anything else, and from what later versions write.
protocol Kept: Codable, Sendable {
    static var format: String { get }
    var format: String { get }
    /// Throws when the content is not to be served.
    func check() throws(FrontendError)
}

/// `documents.json`: everything the agent said, ordered by issuer.
struct KeptDocuments: Kept {
    static let format = "privyseal-issuer documents 1"

    let format: String
    let issuers: [DiscoveryResult]

    init(issuers: [DiscoveryResult]) {
        format = Self.format
        self.issuers = issuers
    }

    func check() throws(FrontendError) {
        for result in issuers { try DocumentCheck.check(result) }
    }
}

/// `confirmed.json`: when the agent last vouched for all of it.
struct KeptConfirmation: Kept {
    static let format = "privyseal-issuer confirmation 1"

    let format: String
    let confirmedAt: WireTime

    init(confirmedAt: WireTime) {
        format = Self.format
        self.confirmedAt = confirmedAt
    }

    func check() throws(FrontendError) {}
}
