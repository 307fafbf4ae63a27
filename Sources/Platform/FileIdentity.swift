import Glibc

/// Tells whether a file is still the one it was, without reading it.
public enum FileIdentity {
    /// Device, inode, size and time of change of the file at `path`, as a text that differs once the file was written or
    /// replaced.
    ///
    /// Throws ``PlatformError`` when the file cannot be looked at.
    public static func of(_ path: String) throws(PlatformError) -> String {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw PlatformError.failed("stat", path, errno) }
        return "\(status.st_dev):\(status.st_ino):\(status.st_size):\(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec)"
    }
}
