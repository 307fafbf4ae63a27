import AgentProtocol
import NIOCore
import Platform

/// Lines on their way out of a connection, from any thread. Lines that are ready together are written together.
final class Outbox: Sendable {
    /// What has gathered since the last write.
    struct Batch: Sendable {
        var bytes: [UInt8] = []
        var replies = 0
        /// Called once the connection has taken the bytes.
        var written: [@Sendable () -> Void] = []
    }

    private struct State {
        var batch = Batch()
        var isScheduled = false
        var isClosed = false
    }

    private let state = Locked(State())
    private let eventLoop: any EventLoop
    private let waker: LoopWaker
    /// Writes what has gathered; runs on the event loop.
    private let write: @Sendable () -> Void

    init(eventLoop: any EventLoop, waker: LoopWaker, write: @escaping @Sendable () -> Void) {
        self.eventLoop = eventLoop
        self.waker = waker
        self.write = write
    }

    /// Sends the reply to one request.
    func reply(_ line: [UInt8]) {
        add { batch in
            batch.append(line)
            batch.replies += 1
        }
    }

    /// What has gathered; more will be scheduled anew.
    func take() -> Batch {
        state.withLock { state in
            defer {
                state.batch = Batch()
                state.isScheduled = false
            }
            return state.batch
        }
    }

    /// What is added from now on goes nowhere: the connection has ended, and its event loop may.
    func close() {
        state.withLock { $0.isClosed = true }
    }

    private func add(_ change: (inout Batch) -> Void) {
        let mustSchedule = state.withLock { state in
            if state.isClosed { return false }
            change(&state.batch)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if mustSchedule { waker.wake(eventLoop, write) }
    }
}

extension Outbox: NotificationSink {
    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) {
        let line = ReplyLine.notification(changes)
        add { batch in
            batch.append(line)
            batch.written.append(written)
        }
    }
}

extension Outbox.Batch {
    fileprivate mutating func append(_ line: [UInt8]) {
        // The usual batch is one line, which is then not copied.
        if bytes.isEmpty { bytes = line } else { bytes += line }
    }
}
