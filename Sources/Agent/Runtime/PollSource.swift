/// Something that workers poll while they have nothing to do, so that what one of them brings can be taken by the same thread.
struct PollSource: Sendable {
    /// How long a worker waits at the source for something to do.
    enum Patience: Sendable {
        case none
        case milliseconds(Int)
        case endless
    }

    /// Waits for something to do and does it: one thing only, or whatever there is. On any number of threads.
    ///
    /// Calls `begins` once the waiting is over and there is something, and returns whether it has consumed a wakeup.
    let poll: @Sendable (_ isOneOnly: Bool, Patience, _ begins: () -> Void) -> Bool
    /// Makes so many polls return soon, also ones that begin later.
    let wakeup: @Sendable (Int) -> Void
}

/// Workers that poll a source while they have nothing else to do.
protocol IdleWorkers: AnyObject, Sendable {
    /// Has them poll from now on. Once.
    func install(_ source: PollSource)

    /// Lets no worker go to the source any more.
    func endPolling()

    /// Polls whenever no worker that could take what comes of it has done so for a while. Returns once polling has been ended.
    func backUp()

    /// What is being done at the source just now, each with a number of its own.
    var pollsUnderWay: Set<Int> { get }
}

/// When a backup poller polls: once no worker has for a while, and longer and longer while none does.
struct BackupPace: Sendable {
    enum Step: Hashable, Sendable {
        /// Give the workers time to poll.
        case pause(milliseconds: Int)
        /// Until all workers are busy: one that is parked polls.
        case sleep
        /// For so long, when there is nothing to do.
        case poll(milliseconds: Int)
    }

    private var seen = -1
    private var stay = patience

    /// Milliseconds without a poll after which the backup poller polls.
    private static let patience = 2
    private static let longestStay = 128

    /// - Parameters:
    ///   - polls: how often a worker has polled.
    ///   - areAllBusy: whether none is parked at the source.
    mutating func next(polls: Int, areAllBusy: Bool) -> Step {
        if polls != seen {
            (seen, stay) = (polls, Self.patience)
            return .pause(milliseconds: Self.patience)
        }
        guard areAllBusy else {
            // The worker that has then just become busy is given the same time as ever.
            seen = -1
            return .sleep
        }
        defer { stay = min(2 * stay, Self.longestStay) }
        return .poll(milliseconds: stay)
    }
}
