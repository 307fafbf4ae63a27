import GRDB

extension StoreError {
    /// What a failure below a store call means for the caller. A `StoreError` stays as it is.
    static func reporting(_ error: any Error, path: String) -> StoreError {
        switch error {
        case let error as StoreError: error
        case let error as DatabaseError: reporting(error, path)
        case let error as RowDecodingError: .corrupt("the store \(path) holds a value of the wrong type", cause: error)
        default:
            StoreError(
                .unavailable, "the store \(path) failed: \(error)", hint: "see the log, then try again", cause: error)
        }
    }

    static func corrupt(_ message: String, cause: (any Error)? = nil) -> StoreError {
        StoreError(
            .corrupt, message,
            hint: "restore a backup, or move it away and rebuild the store with: privyseald recover --from-token", cause: cause)
    }

    private static func reporting(_ error: DatabaseError, _ path: String) -> StoreError {
        // SQLite's own text, without statement and arguments.
        let text = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        return switch error.resultCode {
        case .SQLITE_CONSTRAINT:
            StoreError(
                .conflict, "the store refused the change: \(text)", hint: "read the store again and decide anew", cause: error)
        case .SQLITE_CORRUPT:
            .corrupt("the store \(path) is damaged: \(text)", cause: error)
        case .SQLITE_NOTADB:
            StoreError(
                .corrupt, "\(path) is not a database",
                hint: "name the store's own file, or one that does not exist yet, or restore a backup", cause: error)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            StoreError(
                .unavailable, "the store \(path) is locked by another process",
                hint: "end the program that holds a transaction on it, then try again", cause: error)
        case .SQLITE_CANTOPEN:
            StoreError(
                .unavailable, "cannot open the store \(path): \(text)",
                hint: "name a file in a directory that exists and that this user may write", cause: error)
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            StoreError(
                .unavailable, "the store \(path) cannot be written: \(text)",
                hint: "let this user write the file and its directory, on a file system mounted for writing", cause: error)
        case .SQLITE_FULL:
            StoreError(
                .unavailable, "no space is left for the store \(path)", hint: "make room on its file system", cause: error)
        case .SQLITE_IOERR:
            StoreError(
                .unavailable, "the store \(path) cannot be read or written: \(text)",
                hint: "check its disk and file system", cause: error)
        default:
            StoreError(
                .unavailable, "the store \(path) failed: \(text)", hint: "see the log, then try again", cause: error)
        }
    }
}
