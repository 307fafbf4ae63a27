import Glibc

/// Who, beside root and this process's user, could change or replace a file that the process relies on.
public enum FileTrust {
    /// Refuses a file that its group or others can write, unless it lies where nobody can change it or nobody else comes, and
    /// one whose place is not safe; see ``checkPlace(of:_:trusting:)``.
    ///
    /// `what` begins the message: `the PKCS#11 module`. Throws ``PlatformError`` with the code `exposed`, naming the mode, or
    /// `missing`.
    public static func checkFile(
        _ path: String, _ what: String, trusting trusted: TrustedDirectories = .none
    ) throws(PlatformError) {
        let real = try realPath(path)
        let mode = try FileMode.of(real)
        guard mode & 0o022 == 0 || isUnchangeable(real) || trusted.containsDirectory(of: real) else {
            throw PlatformError(
                .exposed, "\(what) \(real) has mode \(FileMode.text(mode)), so others than its owner can change it",
                hint: "chmod go-w \(real), and make sure that it is the one you know; \(trust)")
        }
        try checkPlace(of: path, what, trusting: trusted)
    }

    /// Refuses a path on which everybody can put another file: below a directory that others may write and that has no sticky
    /// bit, is not on a mount that lets nobody change it (``Mount/keepsOut``), and is not trusted by the configuration. Looked at
    /// are the directories of the path as it is given, and of what its symbolic links lead to.
    ///
    /// Throws ``PlatformError`` with the code `exposed`, naming directory and mode, or `missing`.
    public static func checkPlace(
        of path: String, _ what: String, trusting trusted: TrustedDirectories = .none
    ) throws(PlatformError) {
        try checkPlace(of: path, what, trusting: trusted, remedy: trust)
    }

    /// - Parameter remedy: what is possible where the mode cannot be changed.
    static func checkPlace(
        of path: String, _ what: String, trusting trusted: TrustedDirectories, remedy: String
    ) throws(PlatformError) {
        for path in [path, try realPath(path)] {
            for directory in ancestors(path) {
                let status = try status(of: directory)
                let mode = status.st_mode & 0o7777
                guard mode & 0o002 == 0 || mode & 0o1000 != 0 || isUnchangeable(directory) || trusted.contains(status) else {
                    throw PlatformError(
                        .exposed, "everybody can replace \(what) \(path): \(directory) has mode \(FileMode.text(mode))",
                        hint: "chmod o-w \(directory), and make sure that everything in it is what you know; \(remedy)")
                }
            }
        }
    }

    /// Refuses a directory in which others than root and this user can put or replace a file: written by its group or by
    /// others, or owned by somebody else. Of what the configuration trusts the owner alone counts.
    ///
    /// The sticky bit is no help here. It keeps what is there; what is not there yet, such as a lock, a socket or a
    /// write-ahead log, whoever comes first can put there, and keep. Throws ``PlatformError`` with the code `exposed`, naming
    /// mode or owner, or `missing`.
    public static func checkDirectory(
        _ path: String, _ what: String, trusting trusted: TrustedDirectories = .none
    ) throws(PlatformError) {
        let status = try status(of: path)
        let mode = status.st_mode & 0o7777
        guard mode & 0o022 == 0 || trusted.contains(status) else {
            // A shared directory, such as /tmp, is to stay one.
            let hint =
                mode & 0o1000 == 0 ? "chmod go-w \(path)" : "use a directory of its own, such as one made with: mkdir -m 0700"
            throw PlatformError(
                .exposed, "\(what) \(path) has mode \(FileMode.text(mode)), so others than its owner can put files in it",
                hint: "\(hint); for a container's volume that nobody else reaches: trustedDirectories: [\(path)]")
        }
        guard isTrusted(status.st_uid) else {
            throw PlatformError(
                .exposed, "\(what) \(path) belongs to uid \(status.st_uid), who can replace what is in it",
                hint: "chown it to root or to the user this runs as, uid \(geteuid())")
        }
    }

    /// Whether a file of this owner is as good as one of the process's own.
    static func isTrusted(_ owner: uid_t) -> Bool { owner == 0 || owner == geteuid() }

    /// What is possible where a volume has the mode that whoever runs containers gives it.
    static let readOnly = "in a container, mount its volume read-only"
    private static let trust = "\(readOnly), or name that in trustedDirectories"

    /// Whether what is at a path lies on a mount that lets nobody change it.
    private static func isUnchangeable(_ path: String) -> Bool { Mount(of: path)?.keepsOut ?? false }

    private static func status(of path: String) throws(PlatformError) -> stat {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw PlatformError.failed("stat", path, errno) }
        return status
    }

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

    static func realPath(_ path: String) throws(PlatformError) -> String {
        guard let real = unsafe realpath(path, nil) else { throw PlatformError.failed("realpath", path, errno) }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
}
