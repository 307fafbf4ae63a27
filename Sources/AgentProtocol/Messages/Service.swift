/// `health`: what works, and what is wrong.
public struct HealthParameters: RequestParameters {
    public typealias Result = Health
    public static let method = Method.health
    public static let memberNames: [String] = []

    public init() {}
}

public struct Health: Codable, Sendable, Equatable {
    /// `ok`; `degraded`: signing goes on, something needs attention; `unavailable`: the agent cannot sign.
    public var status: String
    public var hsm: HSMHealth
    public var store: ComponentHealth
    public var clock: ComponentHealth
    public var audit: ComponentHealth
    /// Empty when `status` is `ok`.
    public var problems: [HealthProblem]
    /// The agents that share the store; absent where it is this agent's alone.
    public var fleet: FleetHealth?
    /// What is as it was set and may not be meant; it does not count for `status`. Absent when there is nothing to say.
    public var notices: [String]?

    public init(
        status: String, hsm: HSMHealth, store: ComponentHealth, clock: ComponentHealth, audit: ComponentHealth,
        problems: [HealthProblem], fleet: FleetHealth? = nil, notices: [String]? = nil
    ) {
        self.status = status
        self.hsm = hsm
        self.store = store
        self.clock = clock
        self.audit = audit
        self.problems = problems
        self.fleet = fleet
        self.notices = notices
    }
}

public struct HSMHealth: Codable, Sendable, Equatable {
    /// `up` or `down`.
    public var state: String
    public var tokenLabel: String?
    public var tokenSerial: String?
    /// Sessions that sign, of those configured.
    public var sessions: Int
    public var queuedRequests: Int
    /// What waits for the one thread that reads, makes and destroys keys.
    public var keyWork: KeyWorkHealth?

    public init(
        state: String, tokenLabel: String?, tokenSerial: String?, sessions: Int, queuedRequests: Int,
        keyWork: KeyWorkHealth? = nil
    ) {
        self.state = state
        self.tokenLabel = tokenLabel
        self.tokenSerial = tokenSerial
        self.sessions = sessions
        self.queuedRequests = queuedRequests
        self.keyWork = keyWork
    }
}

/// Work for keys, in the order in which it is done: what is awaited before all else.
public struct KeyWorkHealth: Codable, Sendable, Equatable {
    /// Somebody waits for it.
    public var awaited: LineHealth
    /// Keys that are made ahead of their use.
    public var generation: LineHealth
    /// Private keys that are out of use and are destroyed.
    public var destruction: LineHealth

    public init(awaited: LineHealth, generation: LineHealth, destruction: LineHealth) {
        self.awaited = awaited
        self.generation = generation
        self.destruction = destruction
    }
}

public struct LineHealth: Codable, Sendable, Equatable {
    /// What waits; what is under way is not counted.
    public var queued: Int
    /// How long the head of the line has waited; 0 for an empty one.
    public var oldestSeconds: Int

    public init(queued: Int, oldestSeconds: Int) {
        self.queued = queued
        self.oldestSeconds = oldestSeconds
    }
}

public struct ComponentHealth: Codable, Sendable, Equatable {
    /// `ok` or `suspect` for the clock, `ok` or `unavailable` for store and audit log.
    public var state: String

    public init(state: String) {
        self.state = state
    }
}

public struct HealthProblem: Codable, Sendable, Equatable {
    /// `hsm`, `store`, `clock`, `audit`, `configuration` or `lifecycle`.
    public var component: String
    public var message: String
    public var hint: String?

    public init(component: String, message: String, hint: String?) {
        self.component = component
        self.message = message
        self.hint = hint
    }
}

/// `version`: what the agent is, for clients that must decide whether they fit.
public struct VersionParameters: RequestParameters {
    public typealias Result = VersionResult
    public static let method = Method.version
    public static let memberNames: [String] = []

    public init() {}
}

public struct VersionResult: Codable, Sendable, Equatable {
    public var agentVersion: String
    public var protocolVersion: String
    public var oldestClient: String
    /// When the agent's view of a store that several agents share was last confirmed; absent where the store is the agent's own.
    public var confirmedAt: WireTime?
    /// Whole seconds, rounded up, from then to the reply, by a clock that nobody sets. There with `confirmedAt`.
    public var confirmedSecondsAgo: Int?

    public init(
        agentVersion: String, protocolVersion: String, oldestClient: String, confirmedAt: WireTime? = nil,
        confirmedSecondsAgo: Int? = nil
    ) {
        self.agentVersion = agentVersion
        self.protocolVersion = protocolVersion
        self.oldestClient = oldestClient
        self.confirmedAt = confirmedAt
        self.confirmedSecondsAgo = confirmedSecondsAgo
    }
}

/// `metrics`: the agent's counters.
public struct MetricsParameters: RequestParameters {
    public typealias Result = MetricsResult
    public static let method = Method.metrics
    public static let memberNames: [String] = []

    public init() {}
}

public struct MetricsResult: Codable, Sendable, Equatable {
    /// Prometheus text exposition format 0.0.4.
    public var text: String

    public init(text: String) {
        self.text = text
    }
}

/// `reload`: reads the configuration file again.
public struct ReloadParameters: RequestParameters {
    public typealias Result = ReloadResult
    public static let method = Method.reload
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    /// Also take the wall clock as right, after `health` called it suspect.
    public var acceptClock: Bool?
    /// Also take note of what was done to the file of the audit log, which `health` then names no more.
    public var acceptAudit: Bool?
    /// Also take the token as this agent's alone, after `health` named another agent on it.
    public var acceptToken: Bool?

    public init(acceptClock: Bool? = nil, acceptAudit: Bool? = nil, acceptToken: Bool? = nil) {
        self.acceptClock = acceptClock
        self.acceptAudit = acceptAudit
        self.acceptToken = acceptToken
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case acceptClock, acceptAudit, acceptToken
    }
}

public struct ReloadResult: ChangeResult, Equatable {
    /// Settings in force from now on, by their path in the file.
    public var applied: [String]
    /// Settings that differ from those in force and need a restart.
    public var needsRestart: [String]
    public var warnings: [String]

    public init(applied: [String], needsRestart: [String], warnings: [String] = []) {
        self.applied = applied
        self.needsRestart = needsRestart
        self.warnings = warnings
    }
}

/// `store-save`: has a store that was removed or replaced under the agent written anew.
public struct StoreSaveParameters: RequestParameters {
    public typealias Result = StoreSaveResult
    public static let method = Method.storeSave
    public static let memberNames: [String] = []

    public init() {}
}

public struct StoreSaveResult: ChangeResult, Equatable {
    /// Whether a file was written; false when the store is where it belongs.
    public var saved: Bool
    /// The file that was written.
    public var path: String?
    public var warnings: [String]

    public init(saved: Bool, path: String?, warnings: [String] = []) {
        self.saved = saved
        self.path = path
        self.warnings = warnings
    }
}
