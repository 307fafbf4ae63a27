import CPlatform
import Glibc

/// What a process that holds secrets does before it reads the first of them.
public enum ProcessHardening {
    /// Forbids core dumps and inspection by other processes of the same user, and makes new files private (umask 077).
    ///
    /// `PR_SET_DUMPABLE` 0 also gives `/proc/PID` to root. Once, at start-up, before other threads create files.
    public static func apply() throws(PlatformError) {
        try check("prctl PR_SET_DUMPABLE", privyseal_disable_dumps())
        try check("setrlimit RLIMIT_CORE", privyseal_disable_core_files())
        umask(0o077)
    }

    /// Whether other processes of the same user may still inspect this one, or a crash may dump its memory.
    public static var isDumpable: Bool { privyseal_is_dumpable() != 0 }

    private static func check(_ function: String, _ failure: CInt) throws(PlatformError) {
        guard failure == 0 else {
            throw PlatformError(
                .systemCall, "\(function): \(systemErrorText(failure))", hint: "check the seccomp filter the process runs under")
        }
    }
}
