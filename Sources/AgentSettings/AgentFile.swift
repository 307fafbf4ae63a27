import Agent
import DaemonKit

/// The agent's configuration file, key by key.
struct AgentFile: Decodable {
    struct Socket: Decodable {
        var path: String
        var mode: FileModeValue?
        var group: String?

        enum CodingKeys: String, CodingKey, CaseIterable { case path, mode, group }
    }

    struct Token: Decodable {
        var uri: String
        var module: String
        /// One of the three says where the PIN is.
        var pinFile: String?
        var pinCredential: String?
        var pinEnvironment: String?
        var custody: Custody?

        enum CodingKeys: String, CodingKey, CaseIterable { case uri, module, pinFile, pinCredential, pinEnvironment, custody }
    }

    /// What is accepted of a token that does not hold keys as the agent asks.
    struct Custody: Decodable {
        var acceptUnreported: [CustodyRules.Unreported]?
        var acceptUsages: [CustodyRules.Usage]?

        enum CodingKeys: String, CodingKey, CaseIterable { case acceptUnreported, acceptUsages }
    }

    /// One of `sqlite` and `etcd` says where it is; what follows is for etcd.
    struct Store: Decodable {
        struct Etcd: Decodable {
            var endpoints: [String]
            var prefix: String?
            var ca: String?
            var certificate: String?
            var key: String?
            var user: String?
            var passwordFile: String?

            enum CodingKeys: String, CodingKey, CaseIterable {
                case endpoints, prefix, ca, certificate, key, user, passwordFile
            }
        }

        var sqlite: String?
        var etcd: Etcd?
        var maxStaleness: DurationValue?
        var agent: String?
        var memory: String?

        enum CodingKeys: String, CodingKey, CaseIterable { case sqlite, etcd, maxStaleness, agent, memory }
    }

    struct Signing: Decodable {
        var sessions: Int?
        var queue: Int?
        var deadline: DurationValue?
        var callLimit: DurationValue?
        var changeLimit: DurationValue?
        var recoveryInterval: DurationValue?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case sessions, queue, deadline, callLimit, changeLimit, recoveryInterval
        }
    }

    struct Audit: Decodable {
        var path: String?
        var fsync: DurationValue?
        var head: Head?
        var limitPerUser: Limit?

        /// A size, or `none`.
        enum Limit: Decodable {
            case none
            case bytes(SizeValue)

            init(from decoder: any Decoder) throws {
                let text = try decoder.singleValueContainer().decode(String.self)
                self = text == "none" ? .none : .bytes(try SizeValue(from: decoder))
            }
        }

        /// A duration, or `never`.
        enum Head: Decodable {
            case never
            case every(DurationValue)

            init(from decoder: any Decoder) throws {
                let text = try decoder.singleValueContainer().decode(String.self)
                self = text == "never" ? .never : .every(try DurationValue(from: decoder))
            }
        }

        enum CodingKeys: String, CodingKey, CaseIterable { case path, fsync, head, limitPerUser }
    }

    struct Rule: Decodable {
        struct Rate: Decodable {
            var perSecond: Int
            var burst: Int?

            enum CodingKeys: String, CodingKey, CaseIterable { case perSecond, burst }
        }

        var user: String?
        var group: String?
        var allow: [String]
        var issuers: [String]?
        var subjects: [String]?
        var audiences: [String]?
        var claims: [String]?
        var maxLifetime: DurationValue?
        var rate: Rate?
        var connections: Int?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case user, group, allow, issuers, subjects, audiences, claims, maxLifetime, rate, connections
        }
    }

    struct Limits: Decodable {
        var connections: Int?
        var connectionsPerUser: Int?
        var idle: DurationValue?

        enum CodingKeys: String, CodingKey, CaseIterable { case connections, connectionsPerUser, idle }
    }

    var socket: Socket
    var token: Token
    var store: Store
    var publicBaseURL: PublicBaseURL
    var tenant: String?
    var signing: Signing?
    var access: [Rule]?
    var limits: Limits?
    var audit: Audit?
    var trustedDirectories: [TrustedDirectoryValue]?
    var log: LogConfiguration?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case socket, token, store, publicBaseURL, tenant, signing, access, limits, audit, trustedDirectories, log
    }
}
