import ArgumentParser

/// `--yes`, and the question asked without it.
struct Confirmation: ParsableArguments {
    @Flag(name: [.customShort("y"), .long], help: "Do not ask. Needed where there is no terminal to ask on.")
    var yes = false

    /// Throws unless there is consent or a way to get it: nothing is asked of an agent that would not be carried out.
    func checkPossible(on console: Console) throws {
        guard yes || console.isInteractive else {
            throw Failure(
                .failed, "this needs a confirmation, and there is no terminal to ask on; nothing was changed",
                hint: "add --yes when you are sure")
        }
    }

    /// Shows what is about to happen and asks; returns when the answer is yes. Does nothing after `--yes`.
    func ask(_ consequences: String, on console: Console) throws {
        guard !yes else { return }
        try checkPossible(on: console)
        console.writeError("\(consequences)\nContinue? [y/N] ")
        let answer = console.readLine() ?? ""
        guard Self.isYes(answer) else {
            throw Failure(.failed, "not confirmed; nothing was changed")
        }
    }

    /// Whether an answer is a yes; everything else is a no.
    static func isYes(_ answer: String) -> Bool {
        ["y", "yes"].contains(answer.lowercased().filter { !$0.isWhitespace })
    }
}
