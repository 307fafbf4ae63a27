import ArgumentParser
import DaemonKit

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
