import Glibc

/// The process's standard error.
public enum StandardError {
    /// Writes all of `bytes`, in one write(2) where the kernel takes them at once; what cannot be written is lost.
    ///
    /// There is nobody left to tell about a failure. Blocks while a pipe is full.
    public static func write(_ bytes: [UInt8]) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(STDERR_FILENO, raw.baseAddress! + written, raw.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            written += count
        }
    }
}
