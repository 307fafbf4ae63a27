public import Platform

/// A configuration file that cannot be used, with the place in it.
public struct ConfigurationError: CodedError {
    /// What is wrong, as a value to compare with. Open: later versions may add codes.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The code's name.
        public let rawValue: String

        /// A code of any name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The file is missing, cannot be read or is not UTF-8.
        public static let unreadable = Code(rawValue: "unreadable")
        /// Others than root and this process's user can change or replace the file: what it says would be theirs to say.
        public static let exposed = Code(rawValue: "exposed")
        /// Not YAML, or YAML a configuration does not use (several documents, keys that are no text).
        public static let syntax = Code(rawValue: "syntax")
        /// A key nothing asks for.
        public static let unknownKey = Code(rawValue: "unknownKey")
        /// A key that is given twice in one mapping.
        public static let duplicateKey = Code(rawValue: "duplicateKey")
        /// A key that has to be there.
        public static let missingKey = Code(rawValue: "missingKey")
        /// A value of the wrong type, or outside what its type allows.
        public static let invalidValue = Code(rawValue: "invalidValue")
    }

    /// What went wrong.
    public let code: Code
    /// One line: what is wrong.
    public let message: String
    /// One line: what to do about it.
    public let hint: String
    /// The file's name as it was given.
    public let file: String
    /// Counted from 1; nil when the error is about the file as a whole.
    public let line: Int?
    /// Counted from 1 in Unicode scalars.
    public let column: Int?

    /// Makes an error. Control characters in `message` and `hint`, which may show what stands in the file, are escaped.
    public init(_ code: Code, _ message: String, hint: String, file: String, line: Int? = nil, column: Int? = nil) {
        self.code = code
        self.message = LogText.escaped(message)
        self.hint = LogText.escaped(hint)
        self.file = file
        self.line = line
        self.column = column
    }

    /// `agent.yaml:7:3: unknown key "sokcet"; did you mean "socket"?`
    public var description: String {
        guard let line, let column else { return "\(file): \(message)" }
        return "\(file):\(line):\(column): \(message)"
    }
}

/// What a value type of a configuration throws from `init(from:)` when a value is outside what it allows.
///
/// The decoder adds the place and makes it a ``ConfigurationError``.
public struct InvalidConfigurationValue: Error, Sendable, Equatable {
    /// One line: what is wrong with the value.
    public let message: String
    /// One line: what would be right.
    public let hint: String

    /// Makes an error; `message` and `hint` are one line each.
    public init(_ message: String, hint: String) {
        self.message = message
        self.hint = hint
    }
}
