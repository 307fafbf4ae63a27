import DaemonKit
import OIDCFrontend

/// The configuration file of `privyseal-issuer`.
struct FrontendConfiguration: Decodable, Sendable {
    /// The agent's socket.
    let agent: String
    let listen: Listen
    /// The directory of the last known documents.
    let cache: String
    /// How old the agent's last word may be for `/readyz`; one hour unless given.
    let staleAfter: DurationValue?
    let log: LogConfiguration?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case agent, listen, cache, staleAfter, log
    }

    struct Listen: Decodable, Sendable {
        let host: String
        /// 0 takes any free port.
        let port: UInt16

        enum CodingKeys: String, CodingKey, CaseIterable {
            case host, port
        }
    }

    /// Reads and checks the file at `path`.
    init(path: String) throws(ConfigurationError) {
        let file = try StrictYAML(path: path)
        self = try file.decode()
        for (key, value) in [("agent", agent), ("cache", cache)] where !value.hasPrefix("/") {
            throw file.invalidValue(
                at: [key], "\(key) is not an absolute path: \"\(value)\"", hint: "write the whole path, from / on")
        }
        if let staleAfter, staleAfter.seconds == 0 {
            throw file.invalidValue(
                at: ["staleAfter"], "staleAfter is 0", hint: "write how old the agent's word may be, such as 1h")
        }
    }

    var settings: FrontendSettings {
        FrontendSettings(
            host: listen.host, port: Int(listen.port), cacheDirectory: cache, staleAfter: staleAfter?.seconds ?? 3600)
    }
}
