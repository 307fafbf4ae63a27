public import IssuerStore
public import Logging
public import Platform

/// What an agent needs to run.
public struct AgentConfiguration: Sendable {
    public var socket: UnixSocketPath
    /// The socket that the service manager has made; `nil` when the agent makes its own.
    public var activated: ActivatedSocket?
    /// Permission bits of the socket file.
    public var socketMode: UInt32
    /// Group of the socket file; that of the process when `nil`.
    public var socketGroup: UInt32?
    public var hsm: HSMConfiguration
    public var pin: PINSource
    /// The origin under which documents are served, without a trailing slash.
    public var publicBaseURL: String
    public var access: AccessPolicy
    public var limits = ConnectionLimits()
    public var audit: AuditConfiguration
    /// This agent among those that share its store; `nil` for a store of its own.
    public var fleet: FleetMember?
    /// How long changes wait for the other agents where they do not wait for all of them.
    var fleetLimits = StoreFollower.Limits()
    /// How long changes wait for the frontends at most.
    var feed = ChangeFeed.Limits()

    public init(
        socket: UnixSocketPath, activated: ActivatedSocket? = nil, socketMode: UInt32, socketGroup: UInt32?,
        hsm: HSMConfiguration, pin: PINSource,
        publicBaseURL: String, access: AccessPolicy, audit: AuditConfiguration
    ) {
        self.audit = audit
        self.socket = socket
        self.activated = activated
        self.socketMode = socketMode
        self.socketGroup = socketGroup
        self.hsm = hsm
        self.pin = pin
        self.publicBaseURL = publicBaseURL
        self.access = access
    }

    /// The path of the socket that is served.
    public var servedSocket: UnixSocketPath { activated?.path ?? socket }
}

/// What the process around an agent does for it.
public struct AgentEnvironment: Sendable {
    public var clock: AgentClock
    public var log: Logger
    /// The metrics of the process in Prometheus text format.
    public var metrics: @Sendable () -> String
    /// Reads the configuration again. Errors should be `ProtocolError`.
    public var reload: @Sendable () async throws -> ReloadedConfiguration

    public init(
        clock: AgentClock, log: Logger, metrics: @escaping @Sendable () -> String,
        reload: @escaping @Sendable () async throws -> ReloadedConfiguration
    ) {
        self.clock = clock
        self.log = log
        self.metrics = metrics
        self.reload = reload
    }
}

extension AgentConfiguration {
    /// Says where the socket that the service manager has made is not as the configuration has it: the socket unit counts.
    func sayWhatDiffers(_ activated: ActivatedSocket, _ log: Logger) {
        func warn(_ setting: String, configured: String, unit: String) {
            log.warning(
                "the socket unit differs from the configuration, and counts",
                metadata: ["setting": "\(setting)", "configured": "\(configured)", "unit": "\(unit)"])
        }
        if activated.path != socket { warn("socket.path", configured: socket.path, unit: activated.path.path) }
        guard let mode = try? FileMode.of(activated.path.path), let group = try? FileMode.group(of: activated.path.path)
        else { return }
        if mode & 0o777 != socketMode {
            warn("socket.mode", configured: FileMode.text(socketMode), unit: FileMode.text(mode))
        }
        if let socketGroup, socketGroup != group { warn("socket.group", configured: "gid \(socketGroup)", unit: "gid \(group)") }
    }
}
