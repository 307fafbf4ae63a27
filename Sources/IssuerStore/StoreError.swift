public import Platform

/// Why a store call had no effect. Equal by code.
public struct StoreError: CodedError {
    /// Why, from an open set.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// Somebody else has changed the issuer, or the intent is not open.
        public static let conflict = Code(rawValue: "conflict")
        /// There is no store, and none was to be made.
        public static let missing = Code(rawValue: "missing")
        /// The store cannot be read or written just now.
        public static let unavailable = Code(rawValue: "unavailable")
        /// What is open is not what the next start would find: the file was removed, moved or replaced. Nothing is written
        /// into it any more.
        public static let displaced = Code(rawValue: "displaced")
        /// The store was written by a newer release.
        public static let newerSchema = Code(rawValue: "newer-schema")
        /// The store holds what no release writes.
        public static let corrupt = Code(rawValue: "corrupt")
        /// The change was sent, and nothing says whether it was made: the store has to be read before anything else is decided.
        /// For a store on other machines only.
        public static let undecided = Code(rawValue: "undecided")
        /// The change is larger than the store takes at once.
        public static let tooLarge = Code(rawValue: "too-large")
        /// Another agent has the id of this one.
        public static let occupied = Code(rawValue: "occupied")
        /// The store has been moved elsewhere, or is being moved here: another one counts.
        public static let moved = Code(rawValue: "moved")
        /// Others than this user can change the store, or it belongs to another.
        public static let exposed = Code(rawValue: "exposed")
    }

    public let code: Code
    /// What happened, in one line.
    public let message: String
    /// What to do, in one line.
    public let hint: String
    public let cause: (any Error)?

    public init(_ code: Code, _ message: String, hint: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.cause = cause
    }

    package static func conflict(_ message: String) -> StoreError {
        StoreError(.conflict, message, hint: "read the store again and decide anew")
    }

    /// There is no store at the path, and none is made there.
    public static func missing(_ path: String) -> StoreError {
        StoreError(
            .missing, "there is no store \(path)",
            hint: "mount its file system or restore a backup; for a deployment that is new: privyseald init")
    }
}
