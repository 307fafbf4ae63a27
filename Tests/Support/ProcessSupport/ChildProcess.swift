import Foundation
import Platform

/// A process that a test has started.
///
/// Not Foundation's `Process`: that one notices an end by a descriptor which the child inherits, and the daemons close what they
/// inherit; it then waits for that one process to end, and for no other. And beside a thousand open descriptors it crashes now and
/// then.
public final class ChildProcess: Sendable {
    public let processIdentifier: Int32
    private let ending = Ending()

    public struct NotStarted: Error {
        public let path: String
        public let number: Int32
    }

    /// Starts a program with nothing to read unless `input` is a file, and with output that is appended to files.
    ///
    /// - Parameter group: the process group it joins, 0 for one of its own; with `nil`, that of this process.
    public init(
        _ path: String, _ arguments: [String], environment: [String: String] = ["PATH": "/usr/bin:/bin"],
        input: String = "/dev/null", output: String = "/dev/null", errors: String = "/dev/null", group: Int32? = nil
    ) throws {
        processIdentifier = try Self.spawn(
            path, arguments, environment, [(input, O_RDONLY), (output, O_WRONLY | O_APPEND), (errors, O_WRONLY | O_APPEND)], group
        )
        Thread { [ending, processIdentifier] in
            var status: Int32 = 0
            while unsafe waitpid(processIdentifier, &status, 0) < 0, errno == EINTR {}
            // The low seven bits name the signal that ended it (waitpid(2)).
            ending.end(with: status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F))
        }.start()
    }

    public var isRunning: Bool { ending.status == nil }

    /// The exit status, negative when a signal ended it; once it has ended.
    public var status: Int32 {
        get async { await ending.wait() }
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ environment: [String: String], _ files: [(path: String, flags: Int32)],
        _ group: Int32?
    ) throws -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (number, file) in files.enumerated() {
            unsafe posix_spawn_file_actions_addopen(&actions, Int32(number), file.path, file.flags, 0)
        }
        // What other tests have open: a connection they close would not end while the child lives.
        unsafe closeDescriptors(&actions, Int32(files.count))
        // Threads of a test block signals, which a child would inherit.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        if let group { unsafe posix_spawnattr_setpgroup(&attributes, group) }
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (group == nil ? 0 : POSIX_SPAWN_SETPGROUP)
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        let texts = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        let variables = unsafe environment.map { unsafe strdup("\($0)=\($1)") } + [nil]
        defer { unsafe (texts + variables).forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let failure = unsafe posix_spawn(&pid, path, &actions, &attributes, texts, variables)
        guard failure == 0 else { throw NotStarted(path: path, number: failure) }
        return pid
    }
}

/// posix_spawn_file_actions_addclosefrom_np(3), which the module Glibc does not show.
@_silgen_name("posix_spawn_file_actions_addclosefrom_np")
@discardableResult
private func closeDescriptors(_ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ from: Int32) -> Int32

/// The end of a process, for any number of tasks to wait for.
private final class Ending: Sendable {
    private let state = Locked((status: Int32?.none, waiting: [CheckedContinuation<Int32, Never>]()))

    var status: Int32? { state.withLock { $0.status } }

    func end(with status: Int32) {
        let waiting = state.withLock { state in
            state.status = status
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: status) }
    }

    func wait() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = state.withLock { state in
                if state.status == nil { state.waiting.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }
}
