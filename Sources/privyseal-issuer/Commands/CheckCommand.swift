import ArgumentParser
import DaemonKit
import OIDCFrontend
import Platform

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether the configuration is in order, and what is wrong with it.",
        discussion: """
            Reads the configuration and the TLS certificate and writes to the cache directory, beside a running frontend too: the \
            unit has it judge them before each reload. What root asks is judged as the user of the service: --user, or else the \
            owner of the cache directory.

            --start says whether `serve` could start here and now: it also listens on the addresses for a moment, which fails \
            while a frontend runs there, and asks each agent for a sign of life. One that cannot be reached is only a \
            warning, as the frontend starts without it.

            Ends with 0 when all is in order, 1 when something that the configuration names is not, 78 when the configuration \
            itself cannot be used.
            """)

    @OptionGroup var file: ConfigurationOption

    @Flag(help: "Also try what a start does, while no frontend runs.")
    var start = false

    @OptionGroup var service: ServiceUserOption

    func validate() throws {
        guard !start || service.user == nil else {
            throw ValidationError("--start is of whoever runs it: run it as the user of the service instead of --user")
        }
    }

    func run() async throws {
        if !start {
            if let user = try service.assume(owning: try file.load().cache) { print("note: judged as the user \(user)") }
        }
        // Once more, since root can read what the service cannot.
        let configuration = try file.load()
        let settings = configuration.settings
        for remark in configuration.remarks { print(remark.line) }
        do {
            if let tls = settings.tls {
                let certificate = try ServerCertificate(reading: tls, at: WallClock.moment())
                if let warning = certificate.warning(at: WallClock.moment()) {
                    print("warning: \(warning)")
                    print("hint: renew it, and see why that has not been done")
                }
            }
            try DocumentCache(directory: settings.cacheDirectory, trusting: settings.trusted).checkWritable()
            guard start else {
                print("ok: \(file.path) is in order; whether the addresses are free is for --start to say")
                return
            }
            _ = try settings.limits.fitting(.current)
            if let warning = settings.limits.warning(.current) {
                print("warning: \(warning.message)")
                print("hint: \(warning.hint)")
            }
            try await DocumentServer.probe(host: settings.host, port: settings.port)
            if let admin = settings.admin { try await DocumentServer.probe(host: admin.host, port: admin.port) }
        } catch let error as FrontendError {
            throw StartupFailure(what: error.message, todo: error.hint)
        }
        for socket in configuration.sockets {
            do {
                try await AgentSource(socketPath: socket).probe()
            } catch {
                let agent = configuration.sockets.count == 1 ? "the agent" : "the agent at \(socket)"
                print("warning: \(agent) does not answer: \(error)")
                print("hint: \((error as? FrontendError)?.hint ?? "see the agent's log")")
            }
        }
        print("ok: would listen on \(settings.host), port \(settings.port), \(settings.tls == nil ? "plain HTTP" : "TLS")")
    }
}
