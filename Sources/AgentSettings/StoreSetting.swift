import DaemonKit
package import EtcdStore
import Foundation
import IssuerStore
package import Platform

/// Where the configuration says the store is.
package enum StoreSetting: Equatable, CustomStringConvertible {
    /// The path of a file, for one agent.
    case sqlite(String)
    /// What the agents of several machines share.
    case etcd(EtcdSettings)

    /// The file on this machine: the store, or what is remembered of it. Its lock lies beside it.
    package var localFile: String {
        switch self {
        case .sqlite(let path): path
        case .etcd(let settings): settings.memory
        }
    }

    /// As messages call it.
    package var description: String {
        switch self {
        case .sqlite(let path): path
        case .etcd(let settings): "\(settings.prefix) in etcd"
        }
    }

    /// - Throws: `ConfigurationError` unless exactly one kind is named, with all that it needs and nothing that it has no use for.
    init(_ file: AgentFile.Store, _ yaml: StrictYAML) throws {
        // An absent file of certificates means others; one whose value has got lost must not be taken for that.
        for key in AgentFile.Store.CodingKeys.allCases.map(\.rawValue) where yaml.isEmpty(key, at: ["store"]) {
            throw yaml.invalidValue(at: ["store", key], "store.\(key) has no value", hint: "give it one, or leave \(key) out")
        }
        switch (file.sqlite, file.etcd) {
        case (let path?, nil):
            for (key, isGiven) in [
                ("maxStaleness", file.maxStaleness != nil), ("agent", file.agent != nil), ("memory", file.memory != nil),
            ] where isGiven {
                throw yaml.invalidValue(
                    at: ["store", key], "store.\(key) is for a store in etcd, and this one is in a file",
                    hint: "leave \(key) out: nothing would go by it")
            }
            self = .sqlite(path)
        case (nil, let etcd?):
            self = .etcd(try EtcdSettings(file, etcd, yaml))
        case (nil, nil):
            throw yaml.invalidValue(
                at: ["store"], "store does not say where the store is",
                hint: "give sqlite with the path of a file, or etcd with endpoints")
        case (.some, .some):
            throw yaml.invalidValue(
                at: ["store"], "store names a file and etcd, and there is one store",
                hint: "keep the one that counts; privyseald store move brings the contents of the other over")
        }
    }

    /// What there is to be said of it when an agent starts.
    var remarks: [StartRemark] { if case .etcd(let settings) = self { settings.remarks } else { [] } }

    /// What differs from another's, by its path in the file.
    func partsThatDiffer(from other: StoreSetting) -> [String] {
        switch (self, other) {
        case (.sqlite(let path), .sqlite(let former)): path == former ? [] : ["store.sqlite"]
        case (.etcd(let settings), .etcd(let former)): settings.partsThatDiffer(from: former)
        default: ["store"]
        }
    }
}

/// A store in etcd: the cluster, and what is about this machine.
package struct EtcdSettings: Equatable, Sendable {
    /// In the order in which they are tried; all http or all https.
    package let endpoints: [EtcdEndpoint]
    /// Under which the store lies.
    package let prefix: String
    /// A file with the authorities of the members' certificates, PEM; `nil` for the machine's.
    package let authority: String?
    /// What this side shows of itself: chain and key, PEM.
    package let certificate: Certificate?
    package let user: User?
    /// The longest an agent signs with a view that is not confirmed, in seconds.
    package let maxStaleness: Int
    /// The agent's id, which no other agent of the fleet has; `nil` for one that is made once and remembered.
    package let agent: String?
    /// The file of what this machine remembers of the store.
    package let memory: String

    package struct Certificate: Equatable, Sendable {
        package let chain: String
        package let key: String
    }

    package struct User: Equatable, Sendable {
        package let name: String
        package let passwordFile: String
    }

    /// What a client of the cluster needs.
    package var access: EtcdAccess {
        EtcdAccess(
            endpoints: endpoints, authority: authority,
            certificate: certificate.map { .init(certificate: $0.chain, key: $0.key) },
            user: user.map { .init(name: $0.name, passwordFile: $0.passwordFile) })
    }

    /// Looks at the files that are named, which a start would refuse in the midst of it.
    ///
    /// - Throws: `PlatformError` for one that is missing, that others could have changed, or that others can read where it is a
    ///   secret.
    package func checkFiles() throws(PlatformError) {
        for file in [authority, certificate?.chain].compactMap(\.self) {
            _ = try RegularFile.readTrusted(path: file, limit: 1 << 20)
        }
        for (secret, limit) in [(certificate?.key, 65_536), (user?.passwordFile, 4_096)] {
            guard let secret else { continue }
            var bytes = try SecretFile.readTrusted(path: secret, limit: limit)
            SecretBytes.wipe(&bytes)
        }
    }

    /// What there is to be said of its secrets when an agent starts.
    fileprivate var remarks: [StartRemark] {
        [certificate?.key, user?.passwordFile].compactMap { $0.flatMap { SecretFile.remark(on: $0) } }
    }

    fileprivate func partsThatDiffer(from other: EtcdSettings) -> [String] {
        let isOtherCluster =
            endpoints != other.endpoints || prefix != other.prefix || authority != other.authority
            || certificate != other.certificate || user != other.user
        return [
            ("store.etcd", isOtherCluster), ("store.maxStaleness", maxStaleness != other.maxStaleness),
            ("store.agent", agent != other.agent), ("store.memory", memory != other.memory),
        ].filter(\.1).map(\.0)
    }
}

extension EtcdSettings {
    /// - Throws: `ConfigurationError` with file, line and column.
    fileprivate init(_ store: AgentFile.Store, _ etcd: AgentFile.Store.Etcd, _ yaml: StrictYAML) throws {
        for key in AgentFile.Store.Etcd.CodingKeys.allCases.map(\.rawValue) where yaml.isEmpty(key, at: ["store", "etcd"]) {
            throw yaml.invalidValue(
                at: ["store", "etcd", key], "store.etcd.\(key) has no value", hint: "give it one, or leave \(key) out")
        }
        endpoints = try Self.endpoints(etcd.endpoints, yaml)
        prefix = etcd.prefix ?? "/privyseal"
        do {
            try EtcdIssuerStore.checkPrefix(prefix)
        } catch {
            throw yaml.invalidValue(at: ["store", "etcd", "prefix"], error.message, hint: error.hint)
        }
        let isSecure = endpoints.allSatisfy(\.isSecure)
        authority = try Self.file(etcd.ca, ["etcd", "ca"], yaml)
        certificate = try Self.pair(
            (etcd.certificate, "certificate"), (etcd.key, "key"),
            hint: "a client certificate takes both: certificate and key, PEM", yaml
        ).map { Certificate(chain: $0, key: $1) }
        for (key, isGiven) in [("ca", authority != nil), ("certificate", certificate != nil)] where isGiven && !isSecure {
            throw yaml.invalidValue(
                at: ["store", "etcd", key], "store.etcd.\(key) is for TLS, and the endpoints are http",
                hint: "give https endpoints, or leave \(key) out")
        }
        user = try Self.pair(
            (etcd.user, "user"), (etcd.passwordFile, "passwordFile"),
            hint: "etcd signs nobody in without both: user, and passwordFile with the password and nothing else", yaml
        ).map { User(name: $0, passwordFile: $1) }
        maxStaleness = try Self.maxStaleness(store.maxStaleness, yaml)
        agent = try Self.agent(store.agent, yaml)
        guard let memory = store.memory else {
            throw yaml.invalidValue(
                at: ["store"],
                "store.memory is missing: a machine keeps what it has seen of a store in etcd in a file of its own",
                hint: "name one in a directory of the agent's, such as memory: /var/lib/privyseal/fleet.json")
        }
        self.memory = try Self.file(memory, ["memory"], yaml) ?? memory
    }

    private static func endpoints(_ texts: [String], _ yaml: StrictYAML) throws -> [EtcdEndpoint] {
        func invalid(_ place: Int?, _ message: String, _ hint: String) -> ConfigurationError {
            yaml.invalidValue(at: ["store", "etcd", "endpoints"] + (place.map { ["\($0)"] } ?? []), message, hint: hint)
        }
        guard !texts.isEmpty else {
            throw invalid(
                nil, "store.etcd.endpoints is an empty list", "name the members' client URLs, https://etcd-1.example:2379")
        }
        var endpoints: [EtcdEndpoint] = []
        for (place, text) in texts.enumerated() {
            guard let endpoint = EtcdEndpoint(text) else {
                throw invalid(
                    place, "\"\(text)\" is no endpoint of etcd",
                    "write scheme, host and port and nothing else, as in https://etcd-1.example:2379; user and password have keys of "
                        + "their own")
            }
            guard !endpoints.contains(endpoint) else {
                throw invalid(place, "the endpoint \(endpoint) is named twice", "name each member once")
            }
            if let first = endpoints.first, first.isSecure != endpoint.isSecure {
                throw invalid(
                    place, "\(endpoint) and \(first) are not of one scheme", "have all members listen with TLS, and write https")
            }
            endpoints.append(endpoint)
        }
        return endpoints
    }

    /// An absolute path of a file.
    private static func file(_ path: String?, _ key: [String], _ yaml: StrictYAML) throws -> String? {
        guard let path, !path.hasPrefix("/") || path.hasSuffix("/") else { return path }
        throw yaml.invalidValue(
            at: ["store"] + key, "store.\(key.joined(separator: ".")) is not the absolute path of a file: \"\(path)\"",
            hint: "write the whole path, from / on")
    }

    /// Two keys that go together, of which the second is a file; the first is one too if it is called certificate.
    private static func pair(
        _ first: (value: String?, key: String), _ second: (value: String?, key: String), hint: String, _ yaml: StrictYAML
    ) throws -> (String, String)? {
        switch (first.value, second.value) {
        case (nil, nil): return nil
        case (let one?, let other?):
            guard !one.isEmpty else {
                throw yaml.invalidValue(at: ["store", "etcd", first.key], "store.etcd.\(first.key) is empty", hint: hint)
            }
            if first.key == "certificate" { _ = try file(one, ["etcd", first.key], yaml) }
            _ = try file(other, ["etcd", second.key], yaml)
            return (one, other)
        default:
            let (there, missing) = first.value == nil ? (second.key, first.key) : (first.key, second.key)
            throw yaml.invalidValue(
                at: ["store", "etcd", there], "store.etcd has \(there) and no \(missing)", hint: hint)
        }
    }

    private static func maxStaleness(_ value: DurationValue?, _ yaml: StrictYAML) throws -> Int {
        let seconds = value?.seconds ?? 60
        guard (10...600).contains(seconds) else {
            throw yaml.invalidValue(
                at: ["store", "maxStaleness"], "store.maxStaleness must be 10s to 10m",
                hint:
                    "the default, 1m, is how long agents sign on while etcd is away, and how long a revocation waits for one that "
                    + "does not answer")
        }
        return Int(seconds)
    }

    private static func agent(_ id: String?, _ yaml: StrictYAML) throws -> String? {
        guard let id else { return nil }
        let isName =
            (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
                default: false
                }
            }
        guard isName else {
            throw yaml.invalidValue(
                at: ["store", "agent"], "store.agent must be 1 to 64 letters, digits, dots, hyphens and underscores",
                hint: "use the machine's name, or leave it out to have one made; no two agents may have the same")
        }
        return id
    }
}
