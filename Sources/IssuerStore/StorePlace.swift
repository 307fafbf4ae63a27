import Foundation
import Platform

/// Where a store that is open was found: its file, and what SQLite keeps beside it.
///
/// SQLite goes on with files that have been removed or renamed, or over which something was mounted, and says nothing of it:
/// what is committed into those is there until the process ends.
struct StorePlace: Sendable {
    /// As it was given, and is looked for at the next start.
    private let path: String
    private let files: [(path: String, number: FileNumber)]

    /// Notes where a store is that has been opened and read, so that all its files are there.
    ///
    /// - Throws: `StoreError` when something else is at the path than was opened.
    init(ofOpenStore path: String) throws(StoreError) {
        self.path = path
        // Beside the file itself, wherever a symbolic link leads to it.
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        var files: [(path: String, number: FileNumber)] = []
        for file in [path, real + "-wal", real + "-shm"] {
            let number: FileNumber
            do { number = try FileNumber(of: file) } catch { throw .displaced(path, file, error) }
            guard number.isOpen else { throw .displaced(path, file, nil) }
            files.append((file, number))
        }
        self.files = files
    }

    /// - Throws: `StoreError` with `.displaced` when what is open is not what the next start would open.
    func check() throws(StoreError) {
        for (file, number) in files {
            let found: FileNumber
            do { found = try FileNumber(of: file) } catch { throw .displaced(path, file, error) }
            guard found == number else { throw .displaced(path, file, nil) }
        }
    }
}

extension StoreError {
    /// - Parameter error: why the file could not be looked at; `nil` when another one is there.
    fileprivate static func displaced(_ store: String, _ file: String, _ error: PlatformError?) -> StoreError {
        if let error, error.code != .missing {
            return StoreError(
                .unavailable, "the store \(store) cannot be looked at: \(error.message)", hint: error.hint, cause: error)
        }
        let what = file == store ? "the store \(store)" : "\(file), a part of the store,"
        return StoreError(
            .displaced,
            error == nil
                ? "\(what) was replaced while it was in use: what is at the path now is another file"
                : "\(what) was removed or moved away while it was in use",
            hint: "put back what was there, or move away what is left and have the agent write its state anew: "
                + "privyseal store save", cause: error)
    }
}
