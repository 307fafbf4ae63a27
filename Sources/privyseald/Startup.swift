import Agent
import AgentSettings
import ArgumentParser
import DaemonKit
import EtcdStore
import Foundation
import IssuerStore
import KeyLifecycle
import Logging
import Platform

/// From a configuration file to an agent that could run; what `serve` and `check` share.
struct Startup {
    let settings: Settings
    private let pin: PINSource

    /// Takes the PIN out of the environment, if that is where it is: once in a process, and early.
    ///
    /// - Throws: `StartupFailure`.
    init(configuration path: String) throws(StartupFailure) {
        do {
            settings = try Settings(path: path)
            // Whoever can change the module has the PIN and every key.
            try FileTrust.checkFile(settings.module, "the PKCS#11 module", trusting: settings.trusted)
            pin = try settings.pin.source()
        } catch {
            throw StartupFailure(mapping: error)
        }
    }

    /// Opens the store. To be called with its lock held.
    ///
    /// - Parameter lock: for an agent that goes on for long, to see to it that the lock stays one.
    /// - Throws: `StoreError`, with `.missing` where there is none; `EtcdError`.
    func openStore(_ lock: StoreLock? = nil, use: StoreUse = .changing) async throws -> OpenStore {
        switch settings.store {
        case .sqlite(let path):
            return OpenStore(
                try SQLiteIssuerStore(
                    path: path, tenant: settings.tenant, minted: nil, lock: lock?.lock, trusting: settings.trusted))
        case .etcd(let etcd):
            return try await etcd.open(
                use, tenant: settings.tenant, over: etcd.gateway(), trusting: settings.trusted)
        }
    }

    /// Makes the store, or opens the one there is. To be called with its lock held.
    ///
    /// - Parameter deployment: the identity of a new store.
    func makeStore(
        deployment: String = SystemRandom.hexadecimal(bytes: 16), use: StoreUse = .changing
    ) async throws -> OpenStore {
        let minted = Deployment(id: deployment, tenant: SystemRandom.uuid())
        switch settings.store {
        case .sqlite(let path):
            return OpenStore(
                try SQLiteIssuerStore(path: path, tenant: settings.tenant, minted: minted, trusting: settings.trusted))
        case .etcd(let etcd):
            do {
                return try await openStore(use: use)
            } catch let error as StoreError where error.code == .missing {
                let gateway = try etcd.gateway()
                do {
                    try await EtcdIssuerStore.make(gateway, prefix: etcd.prefix, minted: minted)
                } catch {
                    await gateway.close()
                    throw error
                }
                return try await etcd.open(
                    use, tenant: settings.tenant, over: gateway, trusting: settings.trusted)
            }
        }
    }

    /// Opens the store for reading, beside whoever uses it.
    func readStore() async throws -> OpenStore {
        switch settings.store {
        case .sqlite(let path):
            return OpenStore(try SQLiteIssuerStore(reading: path, tenant: settings.tenant, trusting: settings.trusted))
        case .etcd(let etcd):
            return try await etcd.open(
                .reading, tenant: settings.tenant, over: etcd.gateway(), trusting: settings.trusted)
        }
    }

    /// Opens the store for reading, or for changing with its lock held.
    func openStore(_ use: StoreUse) async throws -> OpenStore {
        switch use {
        case .reading: try await readStore()
        case .changing, .recovering: try await openStore(use: use)
        }
    }

    /// Looks at the token without a store. A PIN that the token refused is remembered beside where the store is to be, and not sent
    /// again until its source changes: whoever starts this again and again must not lock the token.
    func survey() async throws -> TokenSurvey {
        let memory = settings.store.localFile + ".refused-pin"
        let identity = try pin.identity()
        if (try? RegularFile.readTrusted(path: memory, limit: 4_096)) == Array(identity.utf8) {
            throw StartupFailure(
                what: "the token refused this PIN before, so it is not sent again",
                todo: "correct it; where that does not show at its source, remove \(memory)", exitCode: ExitStatus.pinRefused)
        }
        let survey: TokenSurvey
        do {
            survey = try await TokenSurvey.of(agentConfiguration(), environment: agentEnvironment())
        } catch let error as HSMError where error.code == .pinRefused {
            try AtomicFile.write(Array(identity.utf8), to: memory, mode: 0o600)
            throw error
        }
        try? FileManager.default.removeItem(atPath: memory)
        return survey
    }

    func agentEnvironment() -> AgentEnvironment {
        // A command says itself what has gone wrong; but not that its audit log could not record what it did.
        var quiet = Logger(label: "privyseald") { StreamLogHandler.standardError(label: $0) }
        quiet.logLevel = .critical
        return AgentEnvironment(
            clock: Startup.clock, log: quiet, metrics: { "" },
            reload: { [settings] in
                ReloadedConfiguration(
                    publicBaseURL: settings.publicBaseURL.text, access: settings.accessPolicy, applied: [], needsRestart: [])
            })
    }

    /// - Parameter activated: the socket that the service manager has made, if it has.
    func agentConfiguration(serving activated: ActivatedSocket? = nil) -> AgentConfiguration {
        var configuration = AgentConfiguration(
            socket: settings.socket, activated: activated, socketMode: settings.socketMode,
            socketGroup: settings.socketGroup,
            hsm: settings.signing.hsmConfiguration(
                modulePath: settings.module, token: settings.token, custody: settings.custody),
            pin: pin, publicBaseURL: settings.publicBaseURL.text, access: settings.accessPolicy,
            audit: settings.audit)
        configuration.audit.trusted = settings.trusted
        configuration.limits = settings.limits
        configuration.hsm.fenceTest = FenceFinding.remembered(beside: settings.store)?.result
        return configuration
    }

    /// The clocks of this machine.
    static let clock = AgentClock(
        wall: { Timestamp(seconds: WallClock.now().seconds) }, monotonic: { MonotonicClock.nanoseconds() },
        wallMilliseconds: {
            let now = WallClock.now()
            return now.seconds * 1_000 + Int64(now.nanoseconds / 1_000_000)
        })
}

extension StartupFailure {
    /// Prints the two lines, unless they have been printed, and ends the command.
    func end(reporting isReporting: Bool = true) throws -> Never {
        if isReporting { report() }
        // A thread is still inside the module, whose destructors must not run under it.
        if exitCode == ExitStatus.stuck { _exit(exitCode) }
        throw ExitCode(exitCode)
    }

    /// What keeps an agent from starting, by type: one line of what, one of what to do.
    init(mapping error: any Error) {
        switch error {
        case let error as StartupFailure: self = error
        case let error as ConfigurationError: self.init(error)
        case let error as PlatformError: self.init(error)
        case let error as StoreInUse: self.init(error)
        case let error as RecoveryRefusal: self.init(what: error.message, todo: error.hint)
        case let error as StoreError:
            self.init(what: error.message, todo: error.hint, exitCode: Self.exitCode(of: error.code))
        case let error as EtcdError:
            self.init(
                what: error.message, todo: error.hint, exitCode: error.code == .misconfigured ? Self.configurationExitCode : 1)
        case let error as AuditError: self.init(what: error.message, todo: error.hint)
        case let error as HSMError where error.code == .pinRefused:
            self.init(what: error.message, todo: error.hint, exitCode: ExitStatus.pinRefused)
        case let error as HSMError where error.code == .stuck:
            self.init(what: error.message, todo: error.hint, exitCode: ExitStatus.stuck)
        case let error as HSMError: self.init(what: error.message, todo: error.hint)
        default: self.init(what: "\(error)", todo: "see the log above")
        }
    }

    /// Starting again helps where others may have something to do with it; not where the configuration leads to another store, to
    /// none, or to one that has been moved away.
    private static func exitCode(of code: StoreError.Code) -> Int32 {
        switch code {
        case .missing, .displaced, .moved: configurationExitCode
        default: 1
        }
    }
}
