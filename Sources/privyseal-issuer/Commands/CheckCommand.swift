import ArgumentParser
import DaemonKit
import OIDCFrontend
import Platform

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether `serve` would start with this configuration, and why not.",
        discussion: """
            Reads the configuration and the TLS certificate, writes to the cache directory and listens on the address for a moment; a frontend that \
            already runs there makes this fail. An agent that cannot be reached is only a warning, as the frontend starts \
            without it. Run it as the user that will serve. Ends with 0 when it would start, 1 when it would not.
            """)

    @OptionGroup var file: ConfigurationOption

    func run() async throws {
        let configuration: FrontendConfiguration
        do {
            configuration = try file.load()
        } catch {
            throw StartupFailure(what: error.what, todo: error.todo)
        }
        let settings = configuration.settings
        do {
            if let tls = settings.tls {
                let certificate = try ServerCertificate(reading: tls, at: WallClock.moment())
                if let warning = certificate.warning(at: WallClock.moment()) {
                    print("warning: \(warning)")
                    print("hint: renew it, and see why that has not been done")
                }
            }
            _ = try settings.limits.fitting(.current)
            if let warning = settings.limits.warning(.current) {
                print("warning: \(warning.message)")
                print("hint: \(warning.hint)")
            }
            try DocumentCache(directory: settings.cacheDirectory).checkWritable()
            try await DocumentServer.probe(host: settings.host, port: settings.port)
            if let admin = settings.admin { try await DocumentServer.probe(host: admin.host, port: admin.port) }
        } catch let error as FrontendError {
            throw StartupFailure(what: error.message, todo: error.hint)
        }
        do {
            try await AgentSource(socketPath: configuration.agent).probe()
        } catch {
            print("warning: the agent does not answer: \(error)")
            print("hint: \((error as? FrontendError)?.hint ?? "see the agent's log")")
        }
        print("ok: would listen on \(settings.host), port \(settings.port), \(settings.tls == nil ? "plain HTTP" : "TLS")")
    }
}
