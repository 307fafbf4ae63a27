import Foundation

/// Processes that end together, and with the process that has started them, however that ends.
///
/// They are one process group, whose first member waits for the end of a pipe that this process alone holds open: then it kills
/// the group, itself included. So no number of a process is used that may have become another's.
public final class ProcessGroup: Sendable {
    private let guardian: ChildProcess
    private let pipe: Int32

    /// - Parameter directory: where the pipe is made.
    public init(in directory: String) throws {
        let path = "\(directory)/held"
        guard unsafe mkfifo(path, 0o600) == 0 else { throw ChildProcess.NotStarted(path: path, number: errno) }
        pipe = unsafe open(path, O_RDWR | O_CLOEXEC)
        guardian = try ChildProcess("/bin/sh", ["-c", "read -r _; kill -KILL 0"], input: path, group: 0)
    }

    /// Starts a program with a log that is made or appended to.
    public func start(
        _ path: String, _ arguments: [String], environment: [String: String] = ["PATH": "/usr/bin:/bin"], log: String
    ) throws -> ChildProcess {
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        return try ChildProcess(
            path, arguments, environment: environment, output: log, errors: log, group: guardian.processIdentifier)
    }

    /// Kills all of them.
    public func end() async {
        close(pipe)
        _ = await guardian.status
    }
}

extension ChildProcess {
    /// Sends a signal, unless the process has ended.
    public func send(_ signal: Int32) {
        if isRunning { kill(processIdentifier, signal) }
    }

    /// Kills it and waits for that.
    public func end() async {
        send(SIGKILL)
        _ = await status
    }

    /// Has it stand still, and returns when every thread of it does or it has ended.
    public func pause() async throws {
        send(SIGSTOP)
        let tasks = "/proc/\(processIdentifier)/task"
        while isRunning {
            let states = ((try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []).map { task in
                (try? String(contentsOfFile: "\(tasks)/\(task)/stat", encoding: .utf8)) ?? ") T "
            }
            if states.allSatisfy({ $0.contains(") T ") }) { return }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Has it go on.
    public func resume() { send(SIGCONT) }
}
