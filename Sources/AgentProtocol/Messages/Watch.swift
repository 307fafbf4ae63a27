import StrictJSON

/// `watch`: a snapshot as the result, then `issuer-changed` notifications on the same connection.
public struct WatchParameters: RequestParameters {
    public typealias Result = WatchSnapshot
    public static let method = Method.watch
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    /// Whether the caller says with `acknowledge` what it serves. Fetching documents counts as serving them unless it does.
    public var acknowledges: Bool?
    /// After how many seconds without a confirmation the caller turns unready, where it was set: for so long what it serves may be
    /// what was before.
    public var staleAfterSeconds: Int?

    public init(acknowledges: Bool? = nil, staleAfterSeconds: Int? = nil) {
        self.acknowledges = acknowledges
        self.staleAfterSeconds = staleAfterSeconds
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case acknowledges, staleAfterSeconds
    }
}

/// After how many seconds without a confirmation a frontend turns unready, unless it was set.
public enum FrontendStaleness {
    /// Of an agent whose store is its own.
    public static let ownStore = 3_600
    /// Of agents that share theirs.
    public static let sharedStore = 120
}

/// The issuers the caller may see, as of `revision`.
public struct WatchSnapshot: Codable, Sendable, Equatable {
    /// Counts the changes of all issuers since the agent started; starts anew with the agent.
    public var revision: Int
    /// Whose issuers they are: the identity of the agent's store. An agent of another one knows nothing of them. Absent from
    /// agents of protocol 1.0.
    public var deployment: String?
    /// Those that have been deleted are among them, as long as no other has their name.
    public var issuers: [WatchedIssuer]

    public init(revision: Int, deployment: String? = nil, issuers: [WatchedIssuer]) {
        self.revision = revision
        self.deployment = deployment
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

/// `acknowledge`: what a caller that watches serves now.
public struct AcknowledgeParameters: RequestParameters {
    public typealias Result = AcknowledgeResult
    public static let method = Method.acknowledge
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var issuers: [ServedIssuer]

    public init(issuers: [ServedIssuer]) {
        self.issuers = issuers
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuers
    }
}

public struct ServedIssuer: Codable, Sendable, Equatable {
    public var name: String
    /// That of the documents.
    public var generation: Int
    /// How many of the issuer's URLs are served; 0 while its profile is disabled and it has no former one.
    public var urls: Int

    public init(name: String, generation: Int, urls: Int) {
        self.name = name
        self.generation = generation
        self.urls = urls
    }
}

/// Nothing to be said.
public struct AcknowledgeResult: Codable, Sendable, Equatable {
    public init() {}
}

extension IssuerChanges {
    /// The notification's `params`. Written out, since a type of integers and strings leaves nothing to fail.
    var json: JSONValue {
        [
            "revision": .integer(Int64(revision)),
            "issuers": .array(
                issuers.map { issuer in
                    var members = [
                        JSONValue.Member("name", .string(issuer.name)),
                        JSONValue.Member("generation", .integer(Int64(issuer.generation))),
                    ]
                    if let deleted = issuer.deleted {
                        members.append(JSONValue.Member("deleted", .bool(deleted)))
                    }
                    return .object(members)
                }),
        ]
    }
}
