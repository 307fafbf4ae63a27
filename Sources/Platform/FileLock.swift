import Glibc

/// An exclusive lock on a file, held until this object goes: it says "one process at a time" about what lies beside it.
///
/// flock(2), which belongs to the open file, so the kernel lets go of it when the process ends, however it ends. A child that is
/// forked meanwhile holds it too until it executes its program, so it is let go of in so many words and not by closing. A
/// lock of fcntl(2) would end with any other descriptor of the file that this process closes, and would not keep two objects
/// of one process apart. The file stays behind on purpose: removing it would let two processes lock two files of the same name.
public final class FileLock: Sendable {
    /// Where the file is.
    public let path: String
    private let file: Locked<LockedFile>

    /// A file that is locked for as long as its descriptor is open.
    private struct LockedFile {
        let descriptor: CInt
        let number: FileNumber

        func letGo() {
            _ = flock(descriptor, LOCK_UN)
            close(descriptor)
        }
    }

    /// Takes the lock at once or not at all, and writes this process's pid into the file.
    ///
    /// Throws ``PlatformError`` with the code `locked`, whose message names the holder's pid, when another process (or this
    /// one, through another object) holds it; `exposed` for a file of another user's.
    public init(path: String) throws(PlatformError) {
        self.path = path
        file = Locked(try Self.lock(path))
    }

    deinit {
        file.withLock { $0.letGo() }
    }

    /// Makes sure that whoever asks for the lock at the path meets this one: where somebody has removed the file or put another
    /// in its place, that one is locked as well.
    ///
    /// Throws as ``init(path:)`` does.
    public func hold() throws(PlatformError) {
        let held = file.withLock { $0.number }
        guard (try? FileNumber(of: path)) != held else { return }
        let found = try Self.lock(path)
        let former = file.withLock { file in
            defer { file = found }
            return file
        }
        former.letGo()
    }

    private static func lock(_ path: String) throws(PlatformError) -> LockedFile {
        let file = try OwnedDescriptor(opening: path, flags: O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600)
        let status = try file.status(of: path)
        try keepToOneself(file, status, path)
        if flock(file.number, LOCK_EX | LOCK_NB) != 0 {
            let number = errno
            guard number == EWOULDBLOCK else { throw PlatformError.failed("flock", path, number) }
            let holder = (try? Self.holder(file, path)) ?? "another process"
            throw PlatformError(
                .locked, "\(path) is locked by \(holder)", hint: "stop that process first; two must not share this")
        }
        guard ftruncate(file.number, 0) == 0 else { throw PlatformError.failed("ftruncate", path, errno) }
        try file.write(Array("\(getpid())\n".utf8), to: path)
        return LockedFile(descriptor: file.release(), number: FileNumber(status))
    }

    /// flock(2) asks for an open file and no more: whoever may read this one could hold it.
    private static func keepToOneself(
        _ file: borrowing OwnedDescriptor, _ status: stat, _ path: String
    ) throws(PlatformError) {
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PlatformError(.notRegularFile, "\(path) is not a regular file", hint: "remove it")
        }
        guard FileTrust.isTrusted(status.st_uid) else {
            throw PlatformError(
                .exposed, "the lock \(path) belongs to uid \(status.st_uid), who can hold it",
                hint: "remove it, and let nobody but this user write its directory")
        }
        guard status.st_mode & 0o077 != 0 else { return }
        guard fchmod(file.number, 0o600) == 0 else { throw PlatformError.failed("fchmod", path, errno) }
    }

    private static func holder(_ file: borrowing OwnedDescriptor, _ path: String) throws(PlatformError) -> String? {
        var buffer = [UInt8](repeating: 0, count: 20)
        let count = try file.read(into: &buffer, of: path)
        let digits = buffer[..<count].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty, digits.count < count else { return nil }
        return "process \(String(decoding: digits, as: UTF8.self))"
    }
}
