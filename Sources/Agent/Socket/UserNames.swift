import Foundation
import Platform

/// The names of users who have connected, for the audit log. The user database may be far away: no thread that serves
/// sockets asks it, and nobody waits for it long.
final class UserNames: Sendable {
    private enum Name {
        case known(String?)
        case asked([OneAnswer<String?>])
    }

    private let names = Locked<[UInt32: Name]>([:])

    /// Users remembered at a time.
    private static let most = 1_024

    private static let patience = Duration.milliseconds(250)

    /// Calls once, with the user's name, `nil` for one without, and when it takes too long to find out: at once when that is
    /// known.
    func name(of uid: UInt32, then use: @escaping @Sendable (String?) -> Void) {
        if case .known(let name)? = names.withLock({ $0[uid] }) { return use(name) }
        Task { use((try? await askedName(of: uid)) ?? nil) }
    }

    private func askedName(of uid: UInt32) async throws -> String? {
        try await withCheckedThrowingContinuation { continuation in
            let answer = OneAnswer<String?>(continuation)
            Task {
                try await Task.sleep(for: Self.patience)
                answer.give(.success(nil))
            }
            ask(for: uid, answer)
        }
    }

    private func ask(for uid: UInt32, _ answer: OneAnswer<String?>) {
        let (known, isFirst) = names.withLock { names -> (String??, Bool) in
            switch names[uid] {
            case .known(let name): return (name, false)
            case .asked(let others):
                names[uid] = .asked(others + [answer])
                return (nil, false)
            case nil:
                if names.count >= Self.most { names = names.filter { if case .asked = $0.value { true } else { false } } }
                names[uid] = .asked([answer])
                return (nil, true)
            }
        }
        if let known { answer.give(.success(known)) }
        if isFirst { Thread { [self] in note(UserAccount.name(ofUser: uid), of: uid) }.start() }
    }

    private func note(_ name: String?, of uid: UInt32) {
        let waiting = names.withLock { names -> [OneAnswer<String?>] in
            defer { names[uid] = .known(name) }
            guard case .asked(let waiting) = names[uid] else { return [] }
            return waiting
        }
        for answer in waiting { answer.give(.success(name)) }
    }

    /// What is asked for just now is still answered.
    func forget() {
        names.withLock { names in names = names.filter { if case .asked = $0.value { true } else { false } } }
    }
}
