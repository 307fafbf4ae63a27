/// How far the frontends have taken up what a change publishes.
enum PublicationOutcome: Hashable, Sendable {
    /// No frontend serves the issuer's documents.
    case unserved
    /// Every frontend that serves them, or was about to, serves this generation.
    case published(frontends: Int)
    /// Not all of those that watch had said so when the time was up.
    case timedOut(published: Int, watching: Int)

    var isTimedOut: Bool {
        if case .timedOut = self { true } else { false }
    }
}
