/// The pauses between attempts to connect to an agent that is there and takes no further connection at the moment.
///
/// The first is 1 ms, each is twice the one before and none longer than 100 ms: a backlog is emptied in no time once whoever
/// filled it is refused. Together they are never longer than the patience they began with.
struct ConnectPauses {
    private static let longest = Duration.milliseconds(100)

    private var left: Duration
    private var next = Duration.milliseconds(1)

    init(patience: Duration) {
        left = patience
    }

    /// The pause before the next attempt; nil once patience has ended. `random`, from 0 to 1, takes off up to half of it, so that
    /// clients that found the backlog full do not come back together.
    mutating func pause(random: Double) -> Duration? {
        guard left > .zero else { return nil }
        let pause = min(next * (1 - min(max(random, 0), 1) / 2), left)
        left -= pause
        next = min(next * 2, Self.longest)
        return pause
    }
}
