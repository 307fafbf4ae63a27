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
    private let descriptor: CInt

    /// Takes the lock at once or not at all, and writes this process's pid into the file.
    ///
    /// Throws ``PlatformError`` with the code `locked`, whose message names the holder's pid, when another process (or this
    /// one, through another object) holds it.
    public init(path: String) throws(PlatformError) {
        let file = try OwnedDescriptor(opening: path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        if flock(file.number, LOCK_EX | LOCK_NB) != 0 {
            let number = errno
            guard number == EWOULDBLOCK else { throw PlatformError.failed("flock", path, number) }
            let holder = (try? Self.holder(file, path)) ?? "another process"
            throw PlatformError(
                .locked, "\(path) is locked by \(holder)", hint: "stop that process first; two must not share this")
        }
        guard ftruncate(file.number, 0) == 0 else { throw PlatformError.failed("ftruncate", path, errno) }
        try file.write(Array("\(getpid())\n".utf8), to: path)
        self.path = path
        descriptor = file.release()
    }

    deinit {
        _ = flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    private static func holder(_ file: borrowing OwnedDescriptor, _ path: String) throws(PlatformError) -> String? {
        var buffer = [UInt8](repeating: 0, count: 20)
        let count = try file.read(into: &buffer, of: path)
        let digits = buffer[..<count].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty, digits.count < count else { return nil }
        return "process \(String(decoding: digits, as: UTF8.self))"
    }
}
