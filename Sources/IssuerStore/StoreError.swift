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

    /// There is no store at the path, and none is made there.
    public static func missing(_ path: String) -> StoreError {
        StoreError(
            .missing, "there is no store \(path)",
            hint: "mount its file system or restore a backup; for a deployment that is new: privyseald init")
    }
}
