import Glibc

/// Where somebody may sit who can be asked before something is done.
public struct Terminal: Sendable {
    /// Whether there is anybody to be asked: standard input and standard error are a terminal.
    public var isInteractive: Bool
    /// Writes to standard error.
    public var write: @Sendable (String) -> Void
    /// A line of standard input without its end; nil at the end of input.
    public var readLine: @Sendable () -> String?

    public init(
        isInteractive: Bool, write: @escaping @Sendable (String) -> Void, readLine: @escaping @Sendable () -> String?
    ) {
        self.isInteractive = isInteractive
        self.write = write
        self.readLine = readLine
    }

    /// The process's own.
    public static let process = Terminal(
        isInteractive: isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1, write: { StandardError.write(Array($0.utf8)) },
        readLine: { Swift.readLine() })

    /// Throws unless there is consent already, by `--yes`, or a way to get it: what would not be carried out need not be planned.
    public func requireConsent(given: Bool) throws(NotConfirmed) {
        guard given || isInteractive else {
            throw NotConfirmed(
                message: "this needs a confirmation, and there is no terminal to ask on; nothing was changed",
                hint: "add --yes when you are sure")
        }
    }

    /// Shows what is about to happen and asks; returns when the answer is yes. Does nothing where consent is given already.
    public func confirm(_ consequences: String, given: Bool) throws(NotConfirmed) {
        try requireConsent(given: given)
        guard !given else { return }
        write("\(consequences)\nContinue? [y/N] ")
        guard Self.isYes(readLine() ?? "") else {
            throw NotConfirmed(message: "not confirmed; nothing was changed", hint: nil)
        }
    }

    /// Whether an answer is a yes; everything else is a no.
    static func isYes(_ answer: String) -> Bool {
        let words = answer.lowercased().split(whereSeparator: \.isWhitespace)
        return words == ["y"] || words == ["yes"]
    }
}

/// There is no consent to what would have been done.
public struct NotConfirmed: Error, Hashable, Sendable {
    /// What happened, in one line.
    public let message: String
    /// What to do about it, in one line; nil after a no.
    public let hint: String?
}
