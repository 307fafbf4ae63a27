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

/// Standard error as the service manager has connected it.
public enum JournalStream {
    /// Whether what is written to standard error goes to the journal: `stream` names its device and inode, as `$JOURNAL_STREAM`
    /// does (systemd.exec(5)).
    ///
    /// Nil and the name of another file, such as that of a redirection, mean that it does not.
    public static func isStandardError(_ stream: String? = Environment.value("JOURNAL_STREAM")) -> Bool {
        var status = stat()
        guard let stream, unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }
}
