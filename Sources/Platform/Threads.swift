import CPlatform
import Foundation
import Glibc

/// Threads that top(1) and debuggers show by a name, which Foundation's do not have on Linux.
public enum NamedThread {
    /// Starts a thread. Of its name 15 bytes are shown (`PR_SET_NAME`, prctl(2)).
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        Thread.detachNewThread {
            unsafe privyseal_name_thread(name)
            body()
        }
    }
}

/// A thread of this process, and whether it has the ordinary share of the processors or only what nobody else wants
/// (`SCHED_OTHER` and `SCHED_IDLE`, sched(7)).
///
/// Good for as long as the thread runs: afterwards its number may be another one's.
public struct ThreadPriority: Sendable, Equatable {
    private let thread: pid_t

    /// The thread that asks.
    public static var ofCurrentThread: ThreadPriority { ThreadPriority(thread: privyseal_thread_id()) }

    /// Whether it only gets the time that nobody else wants.
    ///
    /// - Throws: `PlatformError`, also for a thread that is scheduled in a third way.
    public func isIdle() throws(PlatformError) -> Bool {
        var isIdle: CInt = 0
        let failure = unsafe privyseal_thread_is_idle(thread, &isIdle)
        guard failure == 0 else { throw .scheduling("sched_getscheduler", failure) }
        return isIdle != 0
    }

    /// Leaves it only the time that nobody else wants, or gives it its ordinary share again. The latter takes an `RLIMIT_NICE`
    /// of 20, for a nice value of 0, or `CAP_SYS_NICE`. Threads that this one starts begin as it is.
    ///
    /// - Throws: `PlatformError`: `.denied`, `.systemCall`.
    public func setIdle(_ isIdle: Bool) throws(PlatformError) {
        let failure = privyseal_set_thread_idle(thread, isIdle ? 1 : 0)
        guard failure == 0 else { throw .scheduling("sched_setscheduler", failure) }
    }

    /// Makes sure that a thread which gives up its share can have it back, by trying it on one that is ended then.
    ///
    /// Tried, and not read from limits and capabilities: a seccomp filter may refuse the call as well, or claim that it was
    /// carried out. Blocks until that thread has tried.
    /// - Throws: `PlatformError` with why not.
    public static func requireRestorable() throws(PlatformError) {
        let failure = Locked(PlatformError?.none)
        let ready = Signal()
        NamedThread.start("priority") {
            do throws(PlatformError) {
                try ofCurrentThread.lowerAndRestore()
            } catch {
                let reason = error
                failure.withLock { $0 = reason }
            }
            ready.send()
        }
        ready.wait()
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    private func lowerAndRestore() throws(PlatformError) {
        let wasIdle = try isIdle()
        try setIdle(true)
        let wasLowered = try isIdle()
        try setIdle(false)
        guard !wasIdle, wasLowered, try !isIdle() else {
            throw PlatformError(.systemCall, "sched_setscheduler: it has no effect", hint: PlatformError.schedulingHint)
        }
    }
}

extension PlatformError {
    fileprivate static let schedulingHint =
        "set LimitNICE=+0 and let sched_setscheduler through, as systemd/privyseald.service does"

    fileprivate static func scheduling(_ function: String, _ number: CInt) -> PlatformError {
        let isDenied = number == EPERM || number == EACCES
        return PlatformError(
            isDenied ? .denied : .systemCall, "\(function): \(systemErrorText(number))", hint: schedulingHint)
    }
}
