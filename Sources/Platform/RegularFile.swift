import Glibc

/// A regular file that is read as a whole.
public enum RegularFile {
    /// Reads the file's content.
    ///
    /// Throws ``PlatformError`` with the code `missing`, `denied`, `notRegularFile`, or `tooLong` for more than `limit` bytes.
    public static func read(path: String, limit: Int) throws(PlatformError) -> [UInt8] {
        try read(path: path, limit: limit) { _, _ throws(PlatformError) in }
    }

    /// Reads the content of a file that only root and this process's user can change.
    ///
    /// Throws as ``read(path:limit:)`` does, and with the code `exposed` when its group or others may write it, when it belongs
    /// to another user, or when everybody can replace it. What lies on a mount that lets nobody change it (``Mount/keepsOut``), or
    /// in a directory that the configuration trusts, is refused for its owner alone.
    public static func readTrusted(
        path: String, limit: Int, trusting trusted: TrustedDirectories = .none
    ) throws(PlatformError) -> [UInt8] {
        let bytes = try read(path: path, limit: limit) { status, file throws(PlatformError) in
            let mode = status.st_mode & 0o7777
            guard mode & 0o022 == 0 || Mount(of: file)?.keepsOut ?? false || trusted.containsDirectory(of: path) else {
                throw PlatformError(
                    .exposed, "mode \(FileMode.text(mode)) lets others than its owner change it",
                    hint: "chmod go-w \(path), and make sure that nobody has changed it; \(FileTrust.readOnly)")
            }
            guard FileTrust.isTrusted(status.st_uid) else {
                throw PlatformError(
                    .exposed, "it belongs to uid \(status.st_uid), who can change it",
                    hint: "chown it to root or to the user this runs as, uid \(geteuid())")
            }
        }
        // The configuration is one of these, and cannot vouch for its own place.
        try FileTrust.checkPlace(of: path, "the file", trusting: trusted, remedy: FileTrust.readOnly)
        return bytes
    }

    /// `admit` decides about the open file, so nobody can exchange it in between.
    private static func read(
        path: String, limit: Int, admit: (stat, borrowing OwnedDescriptor) throws(PlatformError) -> Void
    ) throws(PlatformError) -> [UInt8] {
        // Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
        let file = try OwnedDescriptor(opening: path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        let status = try file.status(of: path)
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PlatformError(.notRegularFile, "\(path) is not a regular file", hint: "check the path")
        }
        try admit(status, file)
        guard status.st_size <= limit else { throw tooLong(path, limit) }
        // As much as it may have, however large it says it is: a file of the kernel says 0, and gives what it has to the first
        // read and nothing to the next. One byte more, to notice one that grows meanwhile.
        var buffer = [UInt8](repeating: 0, count: min(limit, max(Int(status.st_size), Self.page)) + 1)
        var count = try file.read(into: &buffer, of: path)
        while count == buffer.count {
            guard count <= limit else { throw tooLong(path, limit) }
            var more = [UInt8](repeating: 0, count: count)
            let added = try file.read(into: &more, of: path)
            buffer += more[..<added]
            count += added
            if added < more.count { break }
        }
        guard count <= limit else { throw tooLong(path, limit) }
        return Array(buffer[..<count])
    }

    /// What a file of the kernel gives at once (proc(5), sysfs(5)).
    private static let page = 4_096

    private static func tooLong(_ path: String, _ limit: Int) -> PlatformError {
        PlatformError(.tooLong, "\(path) is longer than \(limit) bytes", hint: "check that this is the file you mean")
    }
}
