import Glibc

/// The permission bits of a file, and changing them and the owner.
public enum FileMode {
    /// Four octal digits, as chmod(1) takes them: `0640`.
    public static func text(_ mode: UInt32) -> String {
        let digits = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }

    /// The bits that three or four octal digits stand for (`660`, `0660`); nil for anything else.
    public static func parse(_ text: String) -> UInt32? {
        guard (3...4).contains(text.utf8.count), text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) })
        else { return nil }
        return UInt32(text, radix: 8)
    }

    /// The permission bits of what is at `path`, symbolic links followed.
    public static func of(_ path: String) throws(PlatformError) -> UInt32 {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw PlatformError.failed("stat", path, errno) }
        return status.st_mode & 0o7777
    }

    /// The group of what is at `path`, symbolic links followed.
    public static func group(of path: String) throws(PlatformError) -> UInt32 {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw PlatformError.failed("stat", path, errno) }
        return status.st_gid
    }

    /// Sets the permission bits: chmod(2).
    public static func set(_ mode: UInt32, of path: String) throws(PlatformError) {
        guard unsafe chmod(path, mode) == 0 else { throw PlatformError.failed("chmod", path, errno) }
    }

    /// Sets owner, group or both; nil leaves it as it is: chown(2).
    public static func setOwner(of path: String, uid: UInt32? = nil, gid: UInt32? = nil) throws(PlatformError) {
        guard unsafe chown(path, uid ?? .max, gid ?? .max) == 0 else {
            throw PlatformError.failed(
                "chown", path, errno, hint: "run as root, or as a member of the group the file is to have")
        }
    }
}
