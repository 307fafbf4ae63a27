import Foundation
import NIOCore
import Platform

/// The names of users who have connected, for the audit log. The user database may be far away: an event loop does not ask it, and
/// nobody waits for it long.
final class UserNames: Sendable {
    private let known = Locked<[UInt32: EventLoopFuture<String?>]>([:])

    /// Users remembered at a time.
    private static let most = 1_024

    private static let patience = TimeAmount.milliseconds(250)

    /// The user's name, `nil` for one without, and when it takes too long to find out.
    func name(of uid: UInt32, on eventLoop: any EventLoop) -> EventLoopFuture<String?> {
        let (name, asked) = known.withLock { known -> (EventLoopFuture<String?>, EventLoopPromise<String?>?) in
            if let name = known[uid] { return (name, nil) }
            if known.count >= Self.most { known = [:] }
            let promise = eventLoop.makePromise(of: String?.self)
            known[uid] = promise.futureResult
            return (promise.futureResult, promise)
        }
        if let asked { Thread { asked.succeed(UserAccount.name(ofUser: uid)) }.start() }
        let limited = eventLoop.makePromise(of: String?.self)
        let isAnswered = Locked(false)
        let answer: @Sendable (String?) -> Void = { name in
            let isFirst = isAnswered.withLock { isAnswered in
                defer { isAnswered = true }
                return !isAnswered
            }
            if isFirst { limited.succeed(name) }
        }
        let limit = eventLoop.scheduleTask(in: Self.patience) { answer(nil) }
        name.whenComplete { result in
            limit.cancel()
            answer((try? result.get()) ?? nil)
        }
        return limited.futureResult
    }

    func forget() {
        known.withLock { $0 = [:] }
    }
}
