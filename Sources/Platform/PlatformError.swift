/// Something the operating system refused, or a file or name that is not what it has to be.
///
/// Two errors are equal when their codes are; the message is for people. No message carries the content of a file.
public struct PlatformError: CodedError {
    /// What went wrong, as a value to compare with. Open: later versions may add codes.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The code's name.
        public let rawValue: String

        /// A code of any name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A system call failed in a way no other code describes.
        public static let systemCall = Code(rawValue: "systemCall")
        /// The file, variable or credential does not exist.
        public static let missing = Code(rawValue: "missing")
        /// The operating system denied access.
        public static let denied = Code(rawValue: "denied")
        /// Others than its owner can read a secret, or change or replace what the process relies on.
        public static let exposed = Code(rawValue: "exposed")
        /// The path names something else than a regular file.
        public static let notRegularFile = Code(rawValue: "notRegularFile")
        /// A secret with nothing in it.
        public static let empty = Code(rawValue: "empty")
        /// More bytes than the limit.
        public static let tooLong = Code(rawValue: "tooLong")
        /// Another process holds the lock.
        public static let locked = Code(rawValue: "locked")
        /// No such user or group.
        public static let unknownAccount = Code(rawValue: "unknownAccount")
        /// A text that does not follow its grammar.
        public static let malformed = Code(rawValue: "malformed")
        /// Compressed data that is cut short or changed.
        public static let damaged = Code(rawValue: "damaged")
    }

    /// What went wrong.
    public let code: Code
    /// One line: what happened.
    public let message: String
    /// One line: what to do about it.
    public let hint: String

    /// Makes an error; `message` and `hint` are one line each.
    public init(_ code: Code, _ message: String, hint: String) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}
