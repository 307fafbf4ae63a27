import Glibc

/// A file that is replaced as a whole: a reader, and a crash at any instant, sees the old content or the new, never a part.
public enum AtomicFile {
    /// Writes `bytes` to a new file beside `path`, flushes it, renames it over `path` and flushes the directory.
    ///
    /// `mode` counts as it is given, whatever the umask. Throws ``PlatformError``; then `path` is as it was.
    public static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o600) throws(PlatformError) {
        let temporary = "\(path).\(SystemRandom.hexadecimal(bytes: 8)).tmp"
        do throws(PlatformError) {
            let file = try OwnedDescriptor(opening: temporary, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try file.write(bytes, to: temporary)
            guard fchmod(file.number, mode) == 0 else { throw PlatformError.failed("fchmod", temporary, errno) }
            try file.synchronize(temporary)
            guard unsafe rename(temporary, path) == 0 else { throw PlatformError.failed("rename", path, errno) }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        try synchronizeDirectory(of: path)
    }

    /// Makes a name that was made, replaced or removed survive a power failure: flushes the directory it stands in.
    public static func synchronizeDirectory(of path: String) throws(PlatformError) {
        let directory = directory(of: path)
        let parent = try OwnedDescriptor(opening: directory, flags: O_RDONLY | O_DIRECTORY)
        try parent.synchronize(directory)
    }

    /// What stands before the last slash.
    static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
