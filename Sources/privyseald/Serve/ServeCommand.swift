import Agent
import AgentProtocol
import AgentSettings
import ArgumentParser
import DaemonKit
import Foundation
import Logging
import Metrics
import Platform

/// `privyseald serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the agent.",
        discussion: """
            Logs in to the token, brings token and store together, and serves the socket until SIGTERM or SIGINT; then it \
            answers what is under way and ends with status 0. SIGHUP reads the configuration again.

            Until access rules are configured, the agent serves processes of its own user only.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    func run() async throws {
        do {
            let socket = try ActivatedSocket.passed()
            do {
                try await serve(on: socket)
            } catch let refusal as RefusedStart {
                let failure = StartupFailure(mapping: refusal.reason)
                failure.report()
                await refusal.linger(on: socket)
                try failure.end(reporting: false)
            }
        } catch let code as ExitCode {
            throw code
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private func serve(on socket: ActivatedSocket?) async throws {
        var agent: AgentService?
        do {
            try await serve(on: socket) { agent = $0 }
        } catch {
            throw agent?.hasServed == true ? error : RefusedStart(reason: error)
        }
    }

    private func serve(on socket: ActivatedSocket?, _ made: (AgentService) -> Void) async throws {
        ServiceNotification().status("starting: logs in to the token and looks at its keys")
        let startup = try Startup(configuration: config)
        let lock = try StoreLock(startup.settings.store, trusting: startup.settings.trusted)
        defer { lock.hold() }
        let daemonLog = DaemonLog(startup.settings.log, clock: { WallClock.now() })
        let metrics = PrometheusRegistry()
        MetricsSystem.bootstrap(metrics)
        let log = daemonLog.logger(label: "privyseald")
        for warning in startup.settings.publicBaseURL.warnings { log.warning("\(warning)") }
        for remark in startup.settings.remarks { remark.log(to: log) }
        if let access = startup.settings.access {
            for warning in access.warnings {
                log.warning("an access rule does not do what it says", metadata: ["rule": "\(warning)"])
            }
        } else {
            log.notice("no access rules are configured: serving uid \(getuid()) only")
        }
        if let relaxations = startup.settings.custody.relaxations {
            log.warning("the custody rules are relaxed by the configuration", metadata: ["accepted": "\(relaxations)"])
        }
        let reload = Reloading(path: config, started: startup.settings, log: daemonLog)
        let configuration = startup.agentConfiguration(serving: socket)
        let agent = AgentService {
            for note in try await startup.settings.store.clusterNotes() {
                log.warning(
                    "the store in etcd works, and something about it is not as it should be", metadata: ["note": "\(note)"])
            }
            let store = try await startup.openStore(lock)
            var configuration = configuration
            configuration.fleet = store.member(startup.settings.store)
            do {
                let server = try await AgentServer.start(
                    configuration, store: store.storage,
                    environment: AgentEnvironment(
                        clock: Startup.clock, log: log, metrics: { metrics.render() }, reload: { try await reload.reload() }))
                log.notice("serving", metadata: ["socket": "\(configuration.servedSocket)"])
                return (server, store)
            } catch {
                await store.close()
                throw error
            }
        }
        made(agent)
        try await DaemonLifecycle(
            services: [agent], logger: log, ready: { try await agent.ready() },
            alive: { try await agent.alive() },
            reload: {
                do {
                    try await agent.reload()
                } catch {
                    log.error(
                        "the configuration does not load; the old one stays in force",
                        metadata: ["reason": "\(error)", "hint": "\((error as? ProtocolError)?.hint ?? "see the reason")"])
                }
            },
            status: { await agent.summary }
        ).run()
        log.notice("stopped")
        if agent.hasStuckCalls { _exit(0) }
    }
}
