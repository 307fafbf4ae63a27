import Logging
public import Platform

/// Why a daemon does not start: one line of what, one line of what to do, and the exit status.
public struct StartupFailure: Error, Sendable, CustomStringConvertible {
    /// The exit status of a configuration that will not get better by starting again (`EX_CONFIG` of sysexits(3)): units
    /// name it in `RestartPreventExitStatus=`.
    public static let configurationExitCode: Int32 = 78

    /// What happened.
    public let what: String
    /// What to do about it.
    public let todo: String
    /// The exit status the process ends with; never 0.
    public let exitCode: Int32

    /// Makes a failure; line breaks in either text become spaces.
    public init(what: String, todo: String, exitCode: Int32 = 1) {
        precondition(exitCode != 0, "a failure does not exit with 0")
        self.what = Self.oneLine(what)
        self.todo = Self.oneLine(todo)
        self.exitCode = exitCode
    }

    /// The failure a configuration file causes; exit status 78.
    public init(_ error: ConfigurationError) {
        self.init(what: error.description, todo: error.hint, exitCode: Self.configurationExitCode)
    }

    /// The failure an operating system call causes.
    public init(_ error: PlatformError, exitCode: Int32 = 1) {
        self.init(what: error.message, todo: error.hint, exitCode: exitCode)
    }

    /// The two lines, `error: …` and `hint: …`, without a trailing LF.
    public var description: String { "error: \(what)\nhint: \(todo)" }

    /// Prints the two lines to standard error, as errors where that is the journal, and tells the service manager what happened.
    public func report() {
        let lines = description.split(separator: "\n")
        let prefix = JournalStream.isStandardError() ? Logger.Level.error.journalPrefix : ""
        StandardError.write(Array(lines.map { "\(prefix)\($0)\n" }.joined().utf8))
        ServiceNotification().status("\(what); \(todo)")
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
