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
        var pinFile: String

        enum CodingKeys: String, CodingKey, CaseIterable { case uri, module, pinFile }
    }

    struct Store: Decodable {
        var sqlite: String

        enum CodingKeys: String, CodingKey, CaseIterable { case sqlite }
    }

    struct Signing: Decodable {
        var sessions: Int?
        var queue: Int?

        enum CodingKeys: String, CodingKey, CaseIterable { case sessions, queue }
    }

    var socket: Socket
    var token: Token
    var store: Store
    var publicBaseURL: String
    var tenant: String?
    var signing: Signing?
    var log: LogConfiguration?

    enum CodingKeys: String, CodingKey, CaseIterable { case socket, token, store, publicBaseURL, tenant, signing, log }
}
