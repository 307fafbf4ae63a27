/// What threads do that find nothing in their queue, so that what one brings can be taken by the same thread.
struct Errand: Sendable {
    /// How long somebody who is on the errand waits for something to do.
    enum Patience: Sendable {
        case none
        case milliseconds(Int)
        case endless
    }

    /// Waits for something to do and does it: one thing only, or whatever there is. On any number of threads.
    ///
    /// Calls `begins` once the waiting is over and there is something, and returns whether it has been recalled.
    let run: @Sendable (_ isOneOnly: Bool, Patience, _ begins: () -> Void) -> Bool
    /// Makes so many runs return soon, also ones that begin later.
    let recall: @Sendable (Int) -> Void
}
