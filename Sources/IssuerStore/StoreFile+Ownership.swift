import Foundation
import Platform

extension StoreFile {
    /// Refuses a file that others can write or replace: what it says of keys would be theirs to say.
    ///
    /// Also one of another user, such as the agent's when root runs a command: the files SQLite makes beside it would lock
    /// the owner out.
    /// - Throws: `StoreError` with `.exposed`; `.corrupt` for an empty file, which no store ever is.
    static func checkOwnership(of path: String, trusting trusted: TrustedDirectories) throws {
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let attributes = try attributes(of: path)
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw StoreError(.unavailable, "\(path) is not a regular file", hint: "name the file of the store")
        }
        try check(attributes, path, forbidden: trusted.containsDirectory(of: path) ? 0 : 0o022, "the store \(path)")
        if (attributes[.size] as? NSNumber)?.intValue == 0 {
            throw StoreError(
                .corrupt, "the store \(path) is empty: it was cut off, and no store is",
                hint: "restore a backup, or move it away and rebuild the store with: privyseald recover --from-token")
        }
        try checkDirectory(of: path, trusting: trusted)
    }

    /// Refuses a directory in which others could put a file: another store, or the lock and the write-ahead log of this one,
    /// which SQLite would believe.
    ///
    /// - Throws: `StoreError` with `.exposed`, or `.unavailable` when there is no directory.
    static func checkDirectory(of path: String, trusting trusted: TrustedDirectories) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().resolvingSymlinksInPath().path
        do throws(PlatformError) {
            try FileTrust.checkDirectory(directory, "the store's directory", trusting: trusted)
            try FileTrust.checkPlace(of: directory, "the store's directory", trusting: trusted)
        } catch {
            throw StoreError(error.code == .exposed ? .exposed : .unavailable, error.message, hint: error.hint, cause: error)
        }
    }

    private static func check(
        _ attributes: [FileAttributeKey: Any], _ path: String, forbidden: Int, _ what: String
    ) throws {
        let bits = mode(attributes)
        guard bits & forbidden == 0 else {
            throw StoreError(
                .exposed, "\(what) can be written by others than its owner (mode \(octal(bits)))",
                hint: "chmod 0600 \(path), and make sure that nobody has changed it; in a pod, set fsGroupChangePolicy: "
                    + "OnRootMismatch, or name its directory in trustedDirectories")
        }
        let owner = (attributes[.ownerAccountID] as? NSNumber)?.uint32Value
        guard owner == geteuid() else {
            throw StoreError(
                .exposed, "\(what) belongs to uid \(owner.map(String.init) ?? "?"), and this runs as uid \(geteuid())",
                hint: "run this as the store's owner, or give it to the user the agent runs as")
        }
    }

    private static func attributes(of path: String) throws -> [FileAttributeKey: Any] {
        do {
            return try FileManager.default.attributesOfItem(atPath: path)
        } catch {
            throw StoreError(
                .unavailable, "cannot look at \(path)", hint: "name a file in a directory that exists and this user may enter",
                cause: error)
        }
    }

    private static func mode(_ attributes: [FileAttributeKey: Any]) -> Int {
        (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
    }

    private static func octal(_ bits: Int) -> String {
        let digits = String(bits, radix: 8)
        return String(repeating: "0", count: max(4 - digits.count, 0)) + digits
    }
}
