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
    /// Plain HTTP without.
    let tls: TLS?
    let log: LogConfiguration?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case agent, listen, cache, staleAfter, tls, log
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
        var paths = [(["agent"], agent), (["cache"], cache)]
        if let tls { paths += [(["tls", "certificate"], tls.certificate), (["tls", "key"], tls.key)] }
        for (place, value) in paths where !value.hasPrefix("/") {
            throw file.invalidValue(
                at: place, "\(place.joined(separator: ".")) is not an absolute path: \"\(value)\"",
                hint: "write the whole path, from / on")
        }
        // Decoding takes it for no TLS at all, which is not what was meant.
        guard !file.isEmpty("tls", at: []) else {
            throw file.invalidValue(at: ["tls"], "tls has no value", hint: "write certificate and key below it, or remove it")
        }
        if let staleAfter, staleAfter.seconds == 0 {
            throw file.invalidValue(
                at: ["staleAfter"], "staleAfter is 0", hint: "write how old the agent's word may be, such as 1h")
        }
    }

    var settings: FrontendSettings {
        FrontendSettings(
            host: listen.host, port: Int(listen.port), cacheDirectory: cache, staleAfter: staleAfter?.seconds ?? 3600,
            tls: tls.map { TLSFiles(certificate: $0.certificate, key: $0.key) })
    }
}
