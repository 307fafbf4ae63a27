import ArgumentParser
import Platform

/// A span of time on the command line, as the configuration file has it: `90s`, `15m`, `24h`, `1h30m`.
struct DurationArgument: Equatable {
    let seconds: Int

    /// For `@Option(transform:)`, whose errors are shown with the option they belong to.
    @Sendable static func parse(_ text: String) throws -> DurationArgument {
        do {
            return DurationArgument(seconds: Int(try DurationText.parse(text)))
        } catch {
            throw ValidationError(error.hint)
        }
    }

    /// As ``parse(_:)``, but for 0.
    @Sendable static func parsePositive(_ text: String) throws -> DurationArgument {
        let duration = try parse(text)
        guard duration.seconds > 0 else { throw ValidationError("It is at least 1s.") }
        return duration
    }

    /// As ``parse(_:)``, and `off` for 0.
    @Sendable static func parseOrOff(_ text: String) throws -> DurationArgument {
        text == "off" ? DurationArgument(seconds: 0) : try parse(text)
    }
}

/// The NAME every command on one issuer takes.
struct IssuerArgument: ParsableArguments {
    @Argument(help: "The issuer's name: lower-case letters, digits and inner dashes, 63 at most.")
    var name: String
}

/// `--yes`, and the question asked without it.
struct Confirmation: ParsableArguments {
    @Flag(name: [.customShort("y"), .long], help: "Do not ask. Needed where there is no terminal to ask on.")
    var yes = false

    /// Throws unless there is consent or a way to get it: nothing is asked of an agent that would not be carried out.
    func checkPossible(on console: Console) throws {
        try console.terminal.requireConsent(given: yes)
    }

    /// Shows what is about to happen and asks; returns when the answer is yes. Does nothing after `--yes`.
    func ask(_ consequences: String, on console: Console) throws {
        try console.terminal.confirm(consequences, given: yes)
    }
}
