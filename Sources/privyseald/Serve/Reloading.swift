import Agent
import AgentProtocol
import AgentSettings
import DaemonKit
import Logging

/// Reads the configuration again and says what of it can count while the agent runs.
actor Reloading {
    private let path: String
    private let started: Settings
    private var publicBaseURL: String
    private var access: AccessSettings?
    private var number = 0
    private let log: DaemonLog

    /// - Parameter started: what the agent was started with.
    init(path: String, started: Settings, log: DaemonLog) {
        self.path = path
        self.started = started
        publicBaseURL = started.publicBaseURL.text
        access = started.access
        self.log = log
    }

    /// - Throws: `ProtocolError` for a configuration that does not load; the old one stays in force.
    func reload() throws -> ReloadedConfiguration {
        let next: Settings
        do {
            next = try Settings(path: path)
        } catch {
            let failure = StartupFailure(mapping: error)
            throw ProtocolError(.internalError, failure.what, hint: failure.todo)
        }
        var applied: [String] = []
        if next.log != log.current {
            log.reconfigure(next.log)
            applied.append("log")
        }
        if next.publicBaseURL.text != publicBaseURL {
            publicBaseURL = next.publicBaseURL.text
            let logger = log.logger(label: "privyseald")
            for warning in next.publicBaseURL.warnings { logger.warning("\(warning)") }
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
