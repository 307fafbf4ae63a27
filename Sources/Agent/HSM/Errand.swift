/// What one of the threads does that find nothing in their queue, so that what it brings can be taken by the same thread.
struct Errand: Sendable {
    /// Waits for something to do, and does it; a part of it, once it is told not to go on.
    let run: @Sendable (_ goesOn: () -> Bool) -> Void
    /// Makes `run` return soon, also one that begins later.
    let recall: @Sendable () -> Void
}
