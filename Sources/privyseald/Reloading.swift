import Agent
import AgentProtocol
import DaemonKit
import Logging

/// Reads the configuration again and says what of it can count while the agent runs.
actor Reloading {
    private let path: String
    private let started: AgentSettings
    private var publicBaseURL: String
    private var access: AccessSettings?
    private var number = 0
    private let log: DaemonLog

    /// - Parameter started: what the agent was started with.
    init(path: String, started: AgentSettings, log: DaemonLog) {
        self.path = path
        self.started = started
        publicBaseURL = started.publicBaseURL
        access = started.access
        self.log = log
    }

    /// - Throws: `ProtocolError` for a configuration that does not load; the old one stays in force.
    func reload() throws -> ReloadedConfiguration {
        let next: AgentSettings
        do {
            next = try AgentSettings(path: path)
        } catch {
            let failure = StartupFailure(mapping: error)
            throw ProtocolError(.internalError, failure.what, hint: failure.todo)
        }
        var applied: [String] = []
        if next.log != log.current {
            log.reconfigure(next.log)
            applied.append("log")
        }
        if next.publicBaseURL != publicBaseURL {
            publicBaseURL = next.publicBaseURL
            let logger = log.logger(label: "privyseald")
            for warning in next.file.publicBaseURL.warnings { logger.warning("\(warning)") }
            applied.append("publicBaseURL")
        }
        if next.access != access {
            access = next.access
            applied.append("access")
        }
        var reloaded = ReloadedConfiguration(
            publicBaseURL: publicBaseURL, access: next.accessPolicy, applied: applied,
            needsRestart: next.sectionsThatDiffer(from: started))
        number += 1
        reloaded.number = number
        return reloaded
    }
}

extension AgentSettings {
    /// What counts from the next start on, by its path in the file.
    fileprivate func sectionsThatDiffer(from other: AgentSettings) -> [String] {
        let sections: [(String, Bool)] = [
            ("socket.path", file.socket.path != other.file.socket.path), ("socket.mode", socketMode != other.socketMode),
            ("socket.group", socketGroup != other.socketGroup), ("token.uri", token != other.token),
            ("token.module", file.token.module != other.file.token.module),
            ("token.pinFile", file.token.pinFile != other.file.token.pinFile),
            ("token.pinCredential", file.token.pinCredential != other.file.token.pinCredential),
            ("token.pinEnvironment", file.token.pinEnvironment != other.file.token.pinEnvironment),
            ("limits", limits != other.limits), ("token.custody", custody != other.custody),
            ("store.sqlite", file.store.sqlite != other.file.store.sqlite), ("tenant", file.tenant != other.file.tenant),
            ("audit", audit != other.audit), ("trustedDirectories", trusted != other.trusted),
            ("signing.sessions", signing.sessions != other.signing.sessions),
            ("signing.queue", signing.queue != other.signing.queue),
            ("signing.deadline", signing.deadline != other.signing.deadline),
            ("signing.callLimit", signing.callLimit != other.signing.callLimit),
            ("signing.changeLimit", signing.changeLimit != other.signing.changeLimit),
            ("signing.recoveryInterval", signing.recoveryInterval != other.signing.recoveryInterval),
        ]
        return sections.filter(\.1).map(\.0)
    }
}
