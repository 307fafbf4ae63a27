import ArgumentParser
import DaemonKit
import Foundation
import Platform

/// Exit statuses: 0 done, 1 failed, 2 usage, 78 a configuration that starting again does not make better.
@main
struct Main {
    @MainActor
    static func main() async {
        ProcessStart.harden()
        do {
            var command = try IssuerFrontendCommand.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as StartupFailure {
            failure.report()
            exit(failure.exitCode)
        } catch {
            end(with: error)
        }
    }

    /// Help and the version go to standard output, usage errors to standard error.
    private static func end(with error: any Error) -> Never {
        let code = IssuerFrontendCommand.exitCode(for: error)
        let text = IssuerFrontendCommand.fullMessage(for: error)
        guard !code.isSuccess else {
            print(text)
            exit(0)
        }
        StandardError.write(Array("\(text)\n".utf8))
        exit(code == .validationFailure ? 2 : code.rawValue)
    }
}
