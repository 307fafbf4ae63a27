import DaemonKit
import OIDCFrontend
import Platform

/// The configuration file of `privyseal-issuer`.
struct FrontendConfiguration: Decodable, Sendable {
    /// The agent's socket, or those of several that share a store, one of the two.
    let agent: String?
    let agents: [String]?
    let listen: Listen
    /// The directory of the last known documents.
    let cache: String
    /// How old the agent's last word may be for `/readyz`; one hour unless given, and two minutes where agents share a store.
    let staleAfter: DurationValue?
    /// Plain HTTP without.
    let tls: TLS?
    let limits: Limits?
    /// Loopback alone without.
    let trustedProxies: [NetworkValue]?
    /// Health with room of its own; on loopback.
    let admin: Listen?
    /// A pod's volumes.
    let trustedDirectories: [TrustedDirectoryValue]?
    let log: LogConfiguration?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case agent, agents, listen, cache, staleAfter, tls, limits, trustedProxies, admin, trustedDirectories, log
    }

    struct Limits: Decodable, Sendable {
        /// Connections in all.
        let connections: Int?
        /// Connections of one address.
        let connectionsPerAddress: Int?
        /// How long a connection is kept between requests.
        let idle: DurationValue?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case connections, connectionsPerAddress, idle
        }
    }

    struct Listen: Decodable, Sendable {
        let host: String
        /// 0 takes any free port.
        let port: UInt16

        enum CodingKeys: String, CodingKey, CaseIterable {
            case host, port
        }
    }

    struct TLS: Decodable, Sendable {
        /// The certificate and its chain, PEM.
        let certificate: String
        /// Its private key, PEM.
        let key: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case certificate, key
        }
    }

    /// Reads and checks the file at `path`.
    init(path: String) throws(ConfigurationError) {
        let file = try StrictYAML(path: path)
        self = try file.decode()
        try Self.checkAgents(agent, agents, file)
        var paths = agent.map { [(["agent"], $0)] } ?? []
        paths += (agents ?? []).enumerated().map { (["agents", "\($0.offset)"], $0.element) } + [(["cache"], cache)]
        if let tls { paths += [(["tls", "certificate"], tls.certificate), (["tls", "key"], tls.key)] }
        for (place, value) in paths where !value.hasPrefix("/") {
            throw file.invalidValue(
                at: place, "\(place.joined(separator: ".")) is not an absolute path: \"\(value)\"",
                hint: "write the whole path, from / on")
        }
        // Decoding takes such a key for an absent one, which is not what was meant.
        for (key, value) in [
            ("agents", "the sockets of agents"), ("tls", "certificate and key"),
            ("limits", "connections, connectionsPerAddress or idle"),
            ("trustedProxies", "addresses or networks"), ("admin", "host and port"),
            ("trustedDirectories", "directories"),
        ] where file.isEmpty(key, at: []) {
            throw file.invalidValue(at: [key], "\(key) has no value", hint: "write \(value) below it, or remove it")
        }
        for (key, value) in [
            ("connections", limits?.connections), ("connectionsPerAddress", limits?.connectionsPerAddress),
        ] {
            guard let value, !(1...50_000 ~= value) else { continue }
            throw file.invalidValue(
                at: ["limits", key], "limits.\(key) is \(value)", hint: "write a number from 1 to 50000")
        }
        if let idle = limits?.idle, !(5...3600 ~= idle.seconds) {
            throw file.invalidValue(
                at: ["limits", "idle"], "limits.idle is \(idle)",
                hint: "write a duration from 5s to 1h, longer than the load balancer in front keeps its connections")
        }
        // Plain HTTP, and nobody else's business.
        if let admin, IPAddress(admin.host)?.isLoopback != true {
            throw file.invalidValue(
                at: ["admin", "host"], "admin.host is not an address of loopback: \"\(admin.host)\"",
                hint: "write 127.0.0.1 or \"::1\"")
        }
        if let staleAfter, staleAfter.seconds == 0 {
            throw file.invalidValue(
                at: ["staleAfter"], "staleAfter is 0", hint: "write how old the agent's word may be, such as 1h")
        }
    }

    /// Enough for the agents that one token carries, and few enough for each to be asked about each issuer.
    private static let mostAgents = 16

    /// Throws unless there is one of the two, with at least one path and none twice.
    private static func checkAgents(_ agent: String?, _ agents: [String]?, _ file: StrictYAML) throws(ConfigurationError) {
        guard let agents else {
            guard agent == nil else { return }
            throw file.invalidValue(
                at: [], "\"agent\" is missing",
                hint: "add it with the agent's socket, or agents with those of several that share a store")
        }
        guard agent == nil else {
            throw file.invalidValue(
                at: ["agents"], "there are both agent and agents", hint: "keep one of the two: agents, if there are several")
        }
        guard 1...mostAgents ~= agents.count else {
            throw file.invalidValue(
                at: ["agents"], "agents has \(agents.count) sockets", hint: "write from 1 to \(mostAgents)")
        }
        for (place, path) in agents.enumerated() where agents[..<place].contains(path) {
            throw file.invalidValue(
                at: ["agents", "\(place)"], "agents has \"\(path)\" twice",
                hint: "keep one of the two: each agent has a socket of its own")
        }
    }

    /// The sockets of the agents to follow, at least one.
    var sockets: [String] { agents ?? agent.map { [$0] } ?? [] }

    /// What there is to be said when a frontend starts with it.
    var remarks: [StartRemark] {
        TrustedDirectories(trustedDirectories).remarks + [tls.flatMap { SecretFile.remark(on: $0.key) }].compactMap(\.self)
    }

    var settings: FrontendSettings {
        let trusted = TrustedDirectories(trustedDirectories)
        var connections = ConnectionLimits()
        connections.total = limits?.connections ?? connections.total
        connections.perAddress = limits?.connectionsPerAddress ?? connections.perAddress
        connections.idle = limits?.idle.map { .seconds($0.seconds) } ?? connections.idle
        connections.trustedProxies = trustedProxies?.map(\.network) ?? connections.trustedProxies
        return FrontendSettings(
            host: listen.host, port: Int(listen.port), cacheDirectory: cache, staleAfter: staleAfter?.seconds,
            tls: tls.map { TLSFiles(certificate: $0.certificate, key: $0.key, trusting: trusted) }, limits: connections,
            admin: admin.map { FrontendSettings.AdminAddress(host: $0.host, port: Int($0.port)) }, trusting: trusted)
    }
}
