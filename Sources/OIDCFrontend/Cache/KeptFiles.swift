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
    /// Whose issuers they are; absent when no agent has said, and from earlier releases.
    let deployment: String?
    let issuers: [DiscoveryResult]

    init(deployment: String?, issuers: [DiscoveryResult]) {
        format = Self.format
        self.deployment = deployment
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
    /// Whether agents that share a store vouched; absent when not.
    let isShared: Bool?

    init(confirmedAt: WireTime, isShared: Bool) {
        format = Self.format
        self.confirmedAt = confirmedAt
        self.isShared = isShared ? true : nil
    }

    func check() throws(FrontendError) {}
}

/// `accepted.json`: what an operator has accepted, for the frontend that runs to act on.
struct KeptAcceptance: Kept {
    static let format = "privyseal-issuer acceptance 1"

    let format: String
    let deployment: String
    let former: String?
    let forgotten: [String: Int]

    init(_ acceptance: Acceptance) {
        format = Self.format
        deployment = acceptance.deployment
        former = acceptance.former
        forgotten = acceptance.forgotten
    }

    var acceptance: Acceptance { Acceptance(deployment: deployment, former: former, forgotten: forgotten) }

    func check() throws(FrontendError) {}
}
