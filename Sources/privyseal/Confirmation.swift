import ArgumentParser

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
