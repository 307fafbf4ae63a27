import GRDB
import Platform

/// The open file of a store, which can be exchanged for a new one while the store is in use.
final class StoreConnection: Sendable {
    struct Open: Sendable {
        let queue: DatabaseQueue
        /// `nil` for a store that is only read.
        let place: StorePlace?
    }

    private struct State {
        var open: Open
        /// Kept for good: the last connection to a file removes what is beside it, and goes by names that are the new
        /// file's by now.
        var former: [DatabaseQueue] = []
    }

    private let state: Locked<State>
    /// Says to other processes that the store is in use; `nil` where nobody asked for that.
    private let lock: FileLock?

    init(_ open: Open, lock: FileLock?) {
        state = Locked(State(open: open))
        self.lock = lock
    }

    var open: Open { state.withLock { $0.open } }

    func exchange(for new: Open) {
        state.withLock { state in
            state.former.append(state.open.queue)
            state.open = new
        }
    }

    /// - Throws: `StoreError`, with `.displaced` when what is open is not what the next start would open.
    func check(_ open: Open) throws(StoreError) {
        try open.place?.check()
        try hold()
    }

    /// Takes the lock again, where somebody has removed its file.
    func hold() throws(StoreError) {
        do throws(PlatformError) {
            try lock?.hold()
        } catch {
            throw StoreError(
                .unavailable, "the store cannot be locked any more: \(error.message)", hint: error.hint, cause: error)
        }
    }
}
