import Glibc

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
