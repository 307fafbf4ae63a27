import NIOCore
public import Platform

/// What the connections of a listener may cost.
///
/// Who connects is always let in: at a limit, the newcomer takes the place of the connection that has been idle longest, or else of
/// the one that has been in the middle of a request, or of an answer, longest.
public struct ConnectionLimits: Sendable, Hashable {
    /// Connections in all.
    public var total: Int
    /// Connections of one address, with IPv6 of one /64; at this limit the newcomer takes the place of one of its own.
    public var perAddress: Int
    /// Proxies, whose clients all come from one address: not counted by ``perAddress``.
    public var trustedProxies: [IPNetwork]
    /// How long a request may take from its first byte, or from the connection's beginning, to its last.
    public var request: Duration
    /// How long a connection may be open with no request under way. Longer than load balancers keep theirs, which is a minute with
    /// most: they would send a request into a connection that is being closed, and answer 502.
    public var idle: Duration
    /// How long a client may take none of the answer that waits for it.
    public var answer: Duration

    /// 1,024 connections, 64 of an address but for loopback, 10 s for a request, 75 s for a client that does nothing, and a minute
    /// for one that takes nothing.
    public init(
        total: Int = 1_024, perAddress: Int = 64, trustedProxies: [IPNetwork] = IPNetwork.loopback,
        request: Duration = .seconds(10), idle: Duration = .seconds(75), answer: Duration = .seconds(60)
    ) {
        self.total = total
        self.perAddress = perAddress
        self.trustedProxies = trustedProxies
        self.request = request
        self.idle = idle
        self.answer = answer
    }

    /// What the health of the frontend is asked for with: a few connections, whoever asks.
    public static let admin = ConnectionLimits(total: 16, perAddress: 16)

    /// Connections that may have been accepted beyond ``total``, while those whose place they take are being closed.
    static let margin = 16

    /// Descriptors that are kept from connections: for the agent, the cache, the certificate, the log and the admin listener, and
    /// for what each event loop waits with.
    static var reserve: Int { 64 + admin.total + 2 * margin + 4 * System.coreCount }
    /// With fewer connections a frontend is not worth starting.
    static let fewest = 16

    /// What to say at the start when the process may open too few descriptors for them; nil when it may open enough.
    public func warning(_ descriptors: DescriptorLimit) -> (message: String, hint: String)? {
        guard let fitting = try? fitting(descriptors), fitting.total < total else { return nil }
        return (
            "the process may open \(descriptors.soft) files and connections: \(fitting.total) connections are served at a time, "
                + "not \(total)",
            "allow \(total + Self.reserve), by LimitNOFILE= in the unit or ulimit -n in a shell, or lower limits.connections"
        )
    }

    /// The limits that `descriptors` are enough for. Throws `tooFewDescriptors`.
    public func fitting(_ descriptors: DescriptorLimit) throws(FrontendError) -> ConnectionLimits {
        let room = descriptors.soft - Self.reserve
        guard room >= Self.fewest else {
            throw FrontendError(
                .tooFewDescriptors, "the process may open \(descriptors.soft) files and connections, which is too few",
                hint: "allow at least \(Self.reserve + Self.fewest): LimitNOFILE= in the unit, ulimit -n in a shell")
        }
        var fitting = self
        fitting.total = min(total, room)
        return fitting
    }
}
