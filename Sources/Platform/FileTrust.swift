import Glibc

/// Who, beside root and this process's user, could change or replace a file that the process relies on.
public enum FileTrust {
    /// Refuses a file that its group or others can write, and one whose place is not safe; see ``checkPlace(of:_:)``.
    ///
    /// `what` begins the message: `the PKCS#11 module`. Throws ``PlatformError`` with the code `exposed`, naming the mode, or
    /// `missing`.
    public static func checkFile(_ path: String, _ what: String) throws(PlatformError) {
        let real = try realPath(path)
        let mode = try FileMode.of(real)
        guard mode & 0o022 == 0 else {
            throw PlatformError(
                .exposed, "\(what) \(real) has mode \(FileMode.text(mode)), so others than its owner can change it",
                hint: "chmod go-w \(real), and make sure that it is the one you know")
        }
        try checkPlace(of: path, what)
    }

    /// Refuses a path on which everybody can put another file: below a directory that others may write and that has no sticky
    /// bit. Looked at are the directories of the path as it is given, and of what its symbolic links lead to.
    ///
    /// Throws ``PlatformError`` with the code `exposed`, naming directory and mode, or `missing`.
    public static func checkPlace(of path: String, _ what: String) throws(PlatformError) {
        for path in [path, try realPath(path)] {
            for directory in ancestors(path) {
                let mode = try FileMode.of(directory)
                guard mode & 0o002 == 0 || mode & 0o1000 != 0 else {
                    throw PlatformError(
                        .exposed, "everybody can replace \(what) \(path): \(directory) has mode \(FileMode.text(mode))",
                        hint: "chmod o-w \(directory), and make sure that everything in it is what you know")
                }
            }
        }
    }

    /// Refuses a directory in which others than root and this user can put or replace a file: written by its group or by
    /// others, or owned by somebody else.
    ///
    /// The sticky bit is no help here. It keeps what is there; what is not there yet, such as a lock, a socket or a
    /// write-ahead log, whoever comes first can put there, and keep. Throws ``PlatformError`` with the code `exposed`, naming
    /// mode or owner, or `missing`.
    public static func checkDirectory(_ path: String, _ what: String) throws(PlatformError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw PlatformError.failed("stat", path, errno) }
        let mode = status.st_mode & 0o7777
        guard mode & 0o022 == 0 else {
            // A shared directory, such as /tmp, is to stay one.
            let hint =
                mode & 0o1000 == 0 ? "chmod go-w \(path)" : "use a directory of its own, such as one made with: mkdir -m 0700"
            throw PlatformError(
                .exposed, "\(what) \(path) has mode \(FileMode.text(mode)), so others than its owner can put files in it",
                hint: hint)
        }
        guard isTrusted(status.st_uid) else {
            throw PlatformError(
                .exposed, "\(what) \(path) belongs to uid \(status.st_uid), who can replace what is in it",
                hint: "chown it to root or to the user this runs as, uid \(geteuid())")
        }
    }

    /// Whether a file of this owner is as good as one of the process's own.
    static func isTrusted(_ owner: uid_t) -> Bool { owner == 0 || owner == geteuid() }

    /// Every directory above an absolute path, the root last.
    private static func ancestors(_ path: String) -> [String] {
        var directories: [String] = []
        var rest = path[...]
        while let slash = rest.utf8.lastIndex(of: UInt8(ascii: "/")) {
            rest = rest[..<slash]
            directories.append(rest.isEmpty ? "/" : String(rest))
        }
        return directories
    }

    private static func realPath(_ path: String) throws(PlatformError) -> String {
        guard let real = unsafe realpath(path, nil) else { throw PlatformError.failed("realpath", path, errno) }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
}
