import Glibc

/// Writing to a pipe or socket whose reader has gone.
public enum BrokenPipes {
    /// Makes such a write fail with EPIPE for the rest of the process's life, where SIGPIPE would end it.
    public static func ignore() {
        signal(SIGPIPE, SIG_IGN)
    }
}
