import Glibc

/// A regular file that is only ever added to, by one process at a time.
///
/// Opened with `O_APPEND`, mode 0600 when it is made, and held by a flock(2), which the kernel lets go of with the process; see
/// ``FileLock`` for what a forked child has of it.
public final class AppendedFile: Sendable {
    public let path: String
    /// Device and inode.
    public let identity: String
    private let descriptor: CInt

    /// Opens the file, making it where there is none.
    ///
    /// Throws ``PlatformError`` with the code `notRegularFile`, `exposed` when others than its owner may write to it, outside of
    /// what the configuration trusts, or it is another user's, or `locked` when another process has it open.
    public init(path: String, trusting trusted: TrustedDirectories = .none) throws(PlatformError) {
        let file = try OwnedDescriptor(
            opening: path, flags: O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode: 0o600)
        let status = try file.status(of: path)
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PlatformError(.notRegularFile, "\(path) is not a regular file", hint: "check the path")
        }
        guard status.st_mode & 0o022 == 0 || trusted.containsDirectory(of: path) else {
            throw PlatformError(
                .exposed, "others may write to \(path): mode \(FileMode.text(status.st_mode))",
                hint: "chmod go-w \(path); in a pod, set fsGroupChangePolicy: OnRootMismatch, or name its directory in "
                    + "trustedDirectories")
        }
        guard status.st_uid == geteuid() else {
            throw PlatformError(
                .exposed, "\(path) belongs to uid \(status.st_uid), and this process is uid \(geteuid())",
                hint: "give the file to the user who writes it")
        }
        if flock(file.number, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK else { throw PlatformError.failed("flock", path, errno) }
            throw PlatformError(
                .locked, "another process writes to \(path)", hint: "stop that process first; two must not share this")
        }
        if status.st_size == 0 {
            // A new file may otherwise be gone after a loss of power, with all that was brought to the disk of it.
            try AtomicFile.synchronizeDirectory(of: path)
        }
        self.path = path
        identity = "\(status.st_dev):\(status.st_ino)"
        descriptor = file.release()
    }

    deinit {
        unlock()
        close(descriptor)
    }

    /// Lets another process have the file, though this one may still have it open for a moment. To be called after the last use.
    public func unlock() {
        _ = flock(descriptor, LOCK_UN)
    }

    /// Device and inode of what is at `path` now; nil when nothing is.
    public static func identity(of path: String) -> String? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return "\(status.st_dev):\(status.st_ino)"
    }

    /// Whether it still has a name, at whatever path: what is written to a file without one is lost once it is closed.
    public func hasName() throws(PlatformError) -> Bool {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw PlatformError.failed("fstat", path, errno) }
        return status.st_nlink > 0
    }

    /// Gives what is at `path`, whatever it is, another name in the same directory, and replaces nothing by that.
    ///
    /// Throws ``PlatformError``, with the code `exposed` when something has that name already.
    public static func move(_ path: String, to other: String) throws(PlatformError) {
        var status = stat()
        guard unsafe lstat(other, &status) != 0 else {
            throw PlatformError(.exposed, "\(other) is there already", hint: "move it elsewhere")
        }
        guard unsafe rename(path, other) == 0 else { throw PlatformError.failed("rename", path, errno) }
        try AtomicFile.synchronizeDirectory(of: path)
    }

    /// One write(2) of the bytes from `offset` on, begun again after EINTR; returns how many were written.
    public func write(_ bytes: [UInt8], from offset: Int) throws(PlatformError) -> Int {
        while true {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(descriptor, raw.baseAddress! + offset, raw.count - offset)
            }
            if count > 0 { return count }
            guard count < 0, errno == EINTR else { throw PlatformError.failed("write", path, count < 0 ? errno : EIO) }
        }
    }

    /// Bytes in the file.
    public func size() throws(PlatformError) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw PlatformError.failed("fstat", path, errno) }
        return Int(status.st_size)
    }

    /// Cuts off what is beyond `size` bytes.
    public func truncate(to size: Int) throws(PlatformError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw PlatformError.failed("ftruncate", path, errno) }
    }

    /// Waits until what has been written is on the disk.
    public func synchronize() throws(PlatformError) {
        guard fsync(descriptor) == 0 else { throw PlatformError.failed("fsync", path, errno) }
    }

    /// Up to `count` bytes at `offset`; fewer where the file ends.
    public func read(at offset: Int, count: Int) throws(PlatformError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let result = unsafe bytes.withUnsafeMutableBytes { raw in
                unsafe pread(descriptor, raw.baseAddress! + filled, count - filled, off_t(offset + filled))
            }
            if result == 0 { break }
            if result < 0 {
                if errno == EINTR { continue }
                throw PlatformError.failed("read", path, errno)
            }
            filled += result
        }
        bytes.removeLast(count - filled)
        return bytes
    }
}
