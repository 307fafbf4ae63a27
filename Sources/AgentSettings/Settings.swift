package import Agent
package import DaemonKit
import Foundation
package import PKCS11
package import Platform

/// A configuration file that has been read and judged: everything in it has its type.
package struct Settings {
    private let file: AgentFile
    package let socket: UnixSocketPath
    package let socketMode: UInt32
    package let socketGroup: UInt32?
    package let token: TokenURI
    package let store: StoreSetting
    package let pin: PINSetting
    package let signing: SigningSettings
    /// `nil` without an access section.
    package let access: AccessSettings?
    package let limits: ConnectionLimits
    package let audit: AuditConfiguration
    package let trusted: TrustedDirectories

    /// The path of the PKCS#11 module.
    package var module: String { file.token.module }
    package var tenant: String? { file.tenant }
    package var publicBaseURL: PublicBaseURL { file.publicBaseURL }

    /// Who may do what. Without an access section, the agent's own user everything.
    package var accessPolicy: AccessPolicy {
        access.map {
            AccessPolicy(rules: $0.rules, overflowUID: OverflowUser.uid(), overflowGID: OverflowGroup.gid())
        } ?? .ownUser(getuid())
    }

    /// How the token has to hold a key.
    package var custody: CustodyRules {
        CustodyRules(
            acceptingUnreported: Set(file.token.custody?.acceptUnreported ?? []),
            usages: Set(file.token.custody?.acceptUsages ?? []))
    }

    /// What is taken and yet may not do what it says, a line each.
    package var warnings: [String] { publicBaseURL.warnings + (access?.warnings ?? []) }

    /// What there is to be said when an agent starts with it.
    package var remarks: [StartRemark] { trusted.remarks + [pin.remark].compactMap(\.self) + store.remarks }

    package var log: LogConfiguration { file.log ?? LogConfiguration() }

    /// - Throws: `ConfigurationError` with file, line and column; `PlatformError` for a group that does not exist.
    package init(path: String) throws {
        let yaml = try StrictYAML(path: path)
        file = try yaml.decode(AgentFile.self)
        guard !yaml.isEmpty("trustedDirectories", at: []) else {
            throw yaml.invalidValue(
                at: ["trustedDirectories"], "trustedDirectories has no value",
                hint: "write directories below it, or remove it")
        }
        trusted = TrustedDirectories(file.trustedDirectories)
        socket = try Self.located(yaml, ["socket", "path"]) { [file, trusted] () throws(PlatformError) in
            try UnixSocketPath(file.socket.path, trusting: trusted)
        }
        socketMode = file.socket.mode?.bits ?? 0o660
        guard socketMode & ~0o777 == 0 else {
            throw yaml.invalidValue(
                at: ["socket", "mode"], "the socket mode sets more than rwx bits", hint: "use a mode such as \"0660\"")
        }
        socketGroup = try Self.located(yaml, ["socket", "group"]) { [file] () throws(PlatformError) in
            try file.socket.group.map { group throws(PlatformError) in try GroupAccount.number(of: group) }
        }
        do throws(PKCS11Error) {
            token = try TokenURI(file.token.uri)
        } catch {
            throw yaml.invalidValue(
                at: ["token", "uri"], "\(error)", hint: error.hint ?? "name a token, such as pkcs11:token=privyseal")
        }
        guard file.token.module.hasPrefix("/") else {
            throw yaml.invalidValue(
                at: ["token", "module"], "token.module is not an absolute path: \"\(file.token.module)\"",
                hint: "write the whole path: what is searched for elsewhere could be another module")
        }
        try Self.check(tenant: file.tenant, yaml)
        store = try StoreSetting(file.store, yaml)
        pin = try PINSetting(file.token, yaml)
        signing = try SigningSettings(file.signing, yaml)
        access = try file.access.map { try AccessSettings($0, yaml) }
        limits = try ConnectionLimits(file.limits, yaml)
        audit = try AuditConfiguration(file.audit, besides: store.localFile, yaml)
    }

    private static func located<Value>(
        _ yaml: StrictYAML, _ path: [String], _ read: () throws(PlatformError) -> Value
    ) throws -> Value {
        do throws(PlatformError) {
            return try read()
        } catch {
            throw yaml.invalidValue(at: path, error.message, hint: error.hint)
        }
    }

    /// One path segment of unreserved characters (RFC 3986 §2.3).
    private static func check(tenant: String?, _ yaml: StrictYAML) throws {
        guard let tenant else { return }
        let isSegment =
            (1...64).contains(tenant.utf8.count)
            && tenant.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
        guard isSegment else {
            throw yaml.invalidValue(
                at: ["tenant"], "the tenant must be 1 to 64 letters, digits, hyphens and underscores",
                hint: "use a UUID, or leave it out to have one minted")
        }
    }
}

extension Settings {
    /// What of these settings differs from another's and counts from the next start on, by its path in the file.
    package func sectionsThatDiffer(from other: Settings) -> [String] {
        let sections: [(String, Bool)] = [
            ("socket.path", file.socket.path != other.file.socket.path), ("socket.mode", socketMode != other.socketMode),
            ("socket.group", socketGroup != other.socketGroup), ("token.uri", token != other.token),
            ("token.module", module != other.module),
            ("token.pinFile", file.token.pinFile != other.file.token.pinFile),
            ("token.pinCredential", file.token.pinCredential != other.file.token.pinCredential),
            ("token.pinEnvironment", file.token.pinEnvironment != other.file.token.pinEnvironment),
            ("limits", limits != other.limits), ("token.custody", custody != other.custody),
            ("tenant", tenant != other.tenant),
            ("audit", audit != other.audit), ("trustedDirectories", trusted != other.trusted),
            ("signing.sessions", signing.sessions != other.signing.sessions),
            ("signing.queue", signing.queue != other.signing.queue),
            ("signing.deadline", signing.deadline != other.signing.deadline),
            ("signing.callLimit", signing.callLimit != other.signing.callLimit),
            ("signing.changeLimit", signing.changeLimit != other.signing.changeLimit),
            ("signing.recoveryInterval", signing.recoveryInterval != other.signing.recoveryInterval),
        ]
        return store.partsThatDiffer(from: other.store) + sections.filter(\.1).map(\.0)
    }
}
