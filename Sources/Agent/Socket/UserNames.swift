import Foundation
import NIOCore
import Platform

/// The names of users who have connected, for the audit log. The user database may be far away, so an event loop does not ask.
final class UserNames: Sendable {
    private let known = Locked<[UInt32: EventLoopFuture<String?>]>([:])

    /// Users remembered at a time.
    private static let most = 1_024

    /// The user's name, `nil` for one without.
    func name(of uid: UInt32, on eventLoop: any EventLoop) -> EventLoopFuture<String?> {
        let (name, asked) = known.withLock { known -> (EventLoopFuture<String?>, EventLoopPromise<String?>?) in
            if let name = known[uid] { return (name, nil) }
            if known.count >= Self.most { known = [:] }
            let promise = eventLoop.makePromise(of: String?.self)
            known[uid] = promise.futureResult
            return (promise.futureResult, promise)
        }
        if let asked { Thread { asked.succeed(UserAccount.name(ofUser: uid)) }.start() }
        return name.hop(to: eventLoop)
    }

    func forget() {
        known.withLock { $0 = [:] }
    }
}
