/// `watch`: a snapshot as the result, then `issuer-changed` notifications on the same connection.
public struct WatchParameters: RequestParameters {
    public typealias Result = WatchSnapshot
    public static let method = Method.watch
    public static let memberNames: [String] = []

    public init() {}
}

/// The issuers the caller may see, as of `revision`.
public struct WatchSnapshot: Codable, Sendable, Equatable {
    /// Counts the changes of all issuers since the agent started; starts anew with the agent.
    public var revision: Int
    public var issuers: [WatchedIssuer]

    public init(revision: Int, issuers: [WatchedIssuer]) {
        self.revision = revision
        self.issuers = issuers
    }
}

/// `params` of the notification `issuer-changed`. A slow reader gets several changes folded into one: every issuer that
/// changed after the revision it last saw is named once, with its latest generation.
public struct IssuerChanges: Codable, Sendable, Equatable {
    /// The notification's method.
    public static let method = Method(rawValue: "issuer-changed")

    public var revision: Int
    public var issuers: [WatchedIssuer]

    public init(revision: Int, issuers: [WatchedIssuer]) {
        self.revision = revision
        self.issuers = issuers
    }
}

public struct WatchedIssuer: Codable, Sendable, Equatable {
    public var name: String
    public var generation: Int
    /// Present and true when the issuer is gone.
    public var deleted: Bool?

    public init(name: String, generation: Int, deleted: Bool? = nil) {
        self.name = name
        self.generation = generation
        self.deleted = deleted
    }
}
