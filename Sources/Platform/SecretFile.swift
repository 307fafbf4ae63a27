import CPlatform
import Glibc

/// A file that holds one secret: a PIN, a password, a private key.
public enum SecretFile {
    /// Reads the secret, without one trailing newline.
    ///
    /// Throws ``PlatformError`` with the code `missing`, `denied`, `notRegularFile`, `exposed` (group or others may read or write
    /// it; the message names the mode), `tooLong` (over 4 KiB) or `empty`. The caller wipes what it gets.
    ///
    /// A file of root's may let its group read it where this process's user is alone in that, as it is with a pod's Secret: mode
    /// 0440, and the `fsGroup` for a group. See ``remark(on:)``.
    public static func read(path: String) throws(PlatformError) -> [UInt8] {
        try read(path: path, forbidden: 0o066)
    }

    /// Reads a secret of `limit` bytes at most from a file that only root and this process's user can read or change.
    ///
    /// Throws as ``read(path:)`` does, and with the code `exposed` also when the file belongs to another user or everybody can
    /// replace it. Group bits are taken in `credentials`, by default `$CREDENTIALS_DIRECTORY`, for the reason that
    /// ``SystemdCredential`` gives.
    public static func readTrusted(
        path: String, limit: Int, trusting trusted: TrustedDirectories = .none,
        credentials: String? = Environment.value("CREDENTIALS_DIRECTORY")
    ) throws(PlatformError) -> [UInt8] {
        let secret = try read(path: path, forbidden: isCredential(path, credentials) ? 0o007 : 0o066, limit: limit) {
            status throws(PlatformError) in
            guard FileTrust.isTrusted(status.st_uid) else {
                throw PlatformError(
                    .exposed, "\(path) belongs to uid \(status.st_uid), who can reach the secret",
                    hint: "chown it to root or to the user this runs as, uid \(geteuid())")
            }
        }
        try FileTrust.checkPlace(of: path, "the secret", trusting: trusted)
        return secret
    }

    /// What is to be said at a start of a secret that is taken although its group can read it; `nil` of any other.
    public static func remark(on path: String) -> StartRemark? {
        var status = stat()
        guard unsafe stat(path, &status) == 0, isReadByOurGroupAlone(status) else { return nil }
        return .note(
            "the secret \(path) has mode \(FileMode.text(status.st_mode)), and is taken because no other account is in its group, "
                + "\(status.st_gid)")
    }

    /// Where it could not be read otherwise: root needs no group for its files.
    private static func isReadByOurGroupAlone(_ status: stat) -> Bool {
        status.st_mode & 0o066 == 0o040 && status.st_uid == 0 && geteuid() != 0 && SoleGroup.isOurs(status.st_gid)
    }

    private static func isCredential(_ path: String, _ credentials: String?) -> Bool {
        credentials.map { !$0.isEmpty && path.hasPrefix("\($0)/") } ?? false
    }

    /// Reads a secret whose mode has none of the `forbidden` bits. `admit` decides about the open file, so nobody can exchange
    /// it in between.
    static func read(
        path: String, forbidden: mode_t, limit: Int = SecretBytes.limit,
        admit: (stat) throws(PlatformError) -> Void = { _ throws(PlatformError) in }
    ) throws(PlatformError) -> [UInt8] {
        // Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
        let file = try OwnedDescriptor(opening: path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        let status = try file.status(of: path)
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PlatformError(
                .notRegularFile, "\(path) is not a regular file", hint: "name a file that holds the secret and nothing else")
        }
        guard status.st_mode & forbidden == 0 || isReadByOurGroupAlone(status) else {
            throw PlatformError(
                .exposed, "\(path) has mode \(FileMode.text(status.st_mode)), so others than its owner can reach the secret",
                hint: "chmod 0600 \(path), and change the secret if it may have been read; in a pod, give its volume "
                    + "defaultMode: 0400, and the pod an fsGroup that is no other user's")
        }
        try admit(status)
        var buffer = [UInt8](repeating: 0, count: limit + 1)
        defer { SecretBytes.wipe(&buffer) }
        let count = try file.read(into: &buffer, of: path)
        guard count <= limit else {
            throw PlatformError(
                .tooLong, "\(path) is longer than \(limit) bytes", hint: "the file holds the secret and nothing else")
        }
        let secret = SecretBytes.trimmed(buffer, count: count)
        guard !secret.isEmpty else {
            throw PlatformError(.empty, "\(path) is empty", hint: "write the secret into it, on one line")
        }
        return secret
    }
}

/// A secret that systemd hands to a service in a directory of its own (systemd.exec(5), `LoadCredential=`).
public enum SystemdCredential {
    /// Reads the credential `name` from `directory`, by default `$CREDENTIALS_DIRECTORY`, without one trailing newline.
    ///
    /// Throws ``PlatformError`` as ``SecretFile/read(path:)`` does, and `malformed` for a name that is not a plain file name.
    /// systemd grants access with an ACL, whose mask shows as group bits: here only access for others is refused.
    public static func read(
        _ name: String, directory: String? = Environment.value("CREDENTIALS_DIRECTORY")
    ) throws(PlatformError) -> [UInt8] {
        guard let directory, !directory.isEmpty else {
            throw PlatformError(
                .missing, "there is no credential \"\(name)\": CREDENTIALS_DIRECTORY is not set",
                hint: "add LoadCredential=\(name):PATH to the unit")
        }
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
            throw PlatformError(.malformed, "\"\(name)\" is not a credential name", hint: "give the name used in LoadCredential=")
        }
        return try SecretFile.read(path: "\(directory)/\(name)", forbidden: 0o007)
    }
}
