import CPlatform
import Glibc

/// The text of an errno value, as strerror(3) has it.
func systemErrorText(_ number: CInt) -> String {
    unsafe String(cString: strerror(number))
}

extension PlatformError {
    /// A failed call on a path: `open /etc/privyseal/pin: Permission denied`.
    static func failed(_ function: String, _ path: String, _ number: CInt, hint: String? = nil) -> PlatformError {
        let message = "\(function) \(path): \(systemErrorText(number))"
        return switch number {
        case ENOENT: PlatformError(.missing, message, hint: hint ?? "check the path")
        case EACCES, EPERM:
            PlatformError(.denied, message, hint: hint ?? "check owner and mode of the file and of the directories above it")
        default: PlatformError(.systemCall, message, hint: hint ?? "see errno \(number) in the manual page of \(function)")
        }
    }
}

/// A file descriptor that is closed when its owner lets go of it.
struct OwnedDescriptor: ~Copyable {
    let number: CInt

    /// Opens with `O_CLOEXEC` added to `flags`.
    init(opening path: String, flags: CInt, mode: mode_t = 0, hint: String? = nil) throws(PlatformError) {
        let result = unsafe privyseal_open(path, flags, mode)
        guard result >= 0 else { throw PlatformError.failed("open", path, -result, hint: hint) }
        number = result
    }

    deinit {
        close(number)
    }

    /// Gives the open descriptor away; from here on somebody else closes it.
    consuming func release() -> CInt {
        let released = number
        discard self
        return released
    }

    /// The file's type, mode and owner.
    func status(of path: String) throws(PlatformError) -> stat {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw PlatformError.failed("fstat", path, errno) }
        return status
    }

    /// Reads until the buffer is full or the file ends; returns the number of bytes read.
    func read(into buffer: inout [UInt8], of path: String) throws(PlatformError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = unsafe buffer.withUnsafeMutableBytes { raw in
                unsafe Glibc.read(number, raw.baseAddress! + filled, raw.count - filled)
            }
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw PlatformError.failed("read", path, errno)
            }
            filled += count
        }
        return filled
    }

    /// Writes all of `bytes`.
    func write(_ bytes: [UInt8], to path: String) throws(PlatformError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(number, raw.baseAddress! + written, raw.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw PlatformError.failed("write", path, errno)
            }
            written += count
        }
    }

    /// Waits until the file's content is on the disk.
    func synchronize(_ path: String) throws(PlatformError) {
        guard fsync(number) == 0 else { throw PlatformError.failed("fsync", path, errno) }
    }
}
