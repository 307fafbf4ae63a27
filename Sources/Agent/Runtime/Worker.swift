import Glibc

/// A thread, by its number, which is its own for as long as it runs.
///
/// Keeps apart what several threads do at a time with one thing: what each has begun it finishes itself.
struct Worker: Hashable, Sendable {
    let number: UInt

    /// The thread that asks.
    static var current: Worker { Worker(number: UInt(pthread_self())) }
}
