import ArgumentParser
import DaemonKit
import Platform

/// A command an operator runs beside the agent: it ends with two lines when it fails.
protocol OperatorCommand: AsyncParsableCommand {
    var config: String { get }
    func run(_ startup: Startup) async throws
}

extension OperatorCommand {
    func run() async throws {
        do {
            try await run(Startup(configuration: config))
        } catch let code as ExitCode {
            throw code
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }
}

/// `--dry-run` and `--yes`, and the question asked without either.
struct Consent: ParsableArguments {
    @Flag(help: "Show the plan and change nothing.")
    var dryRun = false

    @Flag(name: [.customShort("y"), .long], help: "Do not ask. Needed where there is no terminal to ask on.")
    var yes = false

    /// Shows a plan; returns whether it is to be carried out.
    ///
    /// - Throws: `StartupFailure` without consent and without a terminal.
    func isGiven(for plan: [String], question: String) throws -> Bool {
        for line in plan { print(line) }
        if dryRun {
            print("dry run: nothing was changed")
            return false
        }
        do throws(NotConfirmed) {
            try Terminal.process.confirm(question, given: yes)
        } catch {
            throw StartupFailure(what: error.message, todo: error.hint ?? "look at the plan again with --dry-run")
        }
        return true
    }
}
