import ArgumentParser
import DaemonKit
import Platform

struct ConfigurationOption: ParsableArguments {
    @Option(name: .customLong("config"), help: ArgumentHelp("The configuration file, YAML.", valueName: "file"))
    var path: String

    /// Reads the file; throws what makes it unusable.
    func load() throws(StartupFailure) -> FrontendConfiguration {
        do {
            return try FrontendConfiguration(path: path)
        } catch {
            throw StartupFailure(error)
        }
    }
}

/// Whom a command beside the frontend goes on as, where root asks.
struct ServiceUserOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The user the frontend runs as, where root asks.", valueName: "name"))
    var user: String?

    /// Goes on as that user, or as the owner of the cache directory; returns the name, if the process goes on as another.
    func assume(owning cache: String) throws(StartupFailure) -> String? {
        do {
            return try ServiceUser.assume(named: user, owning: cache, unit: "privyseal-issuer")
        } catch {
            throw StartupFailure(error)
        }
    }
}
