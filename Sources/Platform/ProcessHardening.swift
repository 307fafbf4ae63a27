import CPlatform
import Glibc

/// What a process that holds secrets does before it reads the first of them, and before it opens anything.
public enum ProcessHardening {
    /// Forbids core dumps, inspection by other processes of the same user and set-user-ID programs, makes new files private
    /// (umask 077), and sees to it that the descriptors 0 to 2 are open, so that no store or socket becomes standard error.
    ///
    /// A crash ends the process, and nothing else: Swift's own handler would show what is in registers and memory on standard
    /// error, and go on after a SIGABRT from outside, such as that of a service manager's watchdog.
    ///
    /// `PR_SET_DUMPABLE` 0 also gives `/proc/PID` to root. `PR_SET_NO_NEW_PRIVS` counts for the calling thread and those it
    /// starts: to be called once, on the main thread, before there are others.
    public static func apply() throws(PlatformError) {
        try check("open /dev/null", privyseal_open_standard_descriptors())
        try check("prctl PR_SET_DUMPABLE", privyseal_disable_dumps())
        try check("setrlimit RLIMIT_CORE", privyseal_disable_core_files())
        try check("signal", privyseal_end_on_crash())
        try check("prctl PR_SET_NO_NEW_PRIVS", privyseal_forgo_privileges())
        umask(0o077)
    }

    /// Closes what the process was started with beside standard input, output and error, and the sockets that the service
    /// manager passes (``ActivatedSocket``).
    ///
    /// First of all things: what the process has opened by itself would be closed as well.
    public static func closeInheritedDescriptors() throws(PlatformError) {
        try check("close_range", privyseal_close_from(ActivatedSocket.firstDescriptor + ActivatedSocket.passedCount))
    }

    /// Whether other processes of the same user may still inspect this one, or a crash may dump its memory.
    public static var isDumpable: Bool { privyseal_is_dumpable() != 0 }

    /// Whether this thread can still gain privileges by executing a program.
    public static var canGainPrivileges: Bool { privyseal_has_forgone_privileges() == 0 }

    private static func check(_ function: String, _ failure: CInt) throws(PlatformError) {
        guard failure == 0 else {
            throw PlatformError(
                .systemCall, "\(function): \(systemErrorText(failure))", hint: "check the seccomp filter the process runs under")
        }
    }
}
