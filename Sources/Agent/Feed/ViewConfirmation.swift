import AgentProtocol
import KeyLifecycle

/// How old what the agent knows of its issuers may be, for whoever follows it.
///
/// Where several agents share a store, an agent that has been cut off from it goes on answering: what it says is what the store said
/// when it was last asked.
struct ViewConfirmation: Sendable {
    /// The store is the agent's own: what it knows is what there is, and no clock is read.
    static let ownStore = ViewConfirmation { nil }

    struct Reading: Sendable, Equatable {
        /// By the wall clock.
        let at: WireTime
        /// Rounded up, so that nothing counts as fresher than it is.
        let secondsAgo: Int
    }

    private let read: @Sendable () -> Reading?

    private init(_ read: @escaping @Sendable () -> Reading?) {
        self.read = read
    }

    /// - Parameter sentAt: when the latest read of the store that confirmed the whole view was sent, in nanoseconds of
    ///   `clock.monotonic`; `nil` before the first. What it confirms must be shown by then: the feed has told of it, and the
    ///   registry hands it out.
    init(clock: AgentClock, sentAt: @escaping @Sendable () -> Int64?) {
        read = {
            guard let sentAt = sentAt() else { return nil }
            let (seconds, rest) = max(0, clock.monotonic() - sentAt).quotientAndRemainder(dividingBy: 1_000_000_000)
            let secondsAgo = seconds + (rest > 0 ? 1 : 0)
            return Reading(at: WireTime(seconds: clock.wall().seconds - secondsAgo), secondsAgo: Int(secondsAgo))
        }
    }

    /// Now; `nil` where the store is the agent's own, and before it was first read.
    var reading: Reading? { read() }
}
