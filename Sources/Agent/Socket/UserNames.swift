import Platform

/// The names of users who have connected, for the audit log. The user database may be far away: no thread that serves
/// sockets asks it, and nobody waits for it long.
final class UserNames: Sendable {
    fileprivate enum Name {
        case known(String?)
        case asked([OneAnswer<String?>])
        /// It has taken longer than anybody waits.
        case late
    }

    private let names = Locked<[UInt32: Name]>([:])

    /// Users remembered at a time.
    private static let most = 1_024

    private static let patience = Duration.milliseconds(250)

    /// Calls once, with the user's name, `nil` for one without, and when it takes too long to find out: at once when that is
    /// known.
    func name(of uid: UInt32, then use: @escaping @Sendable (String?) -> Void) {
        switch names.withLock({ $0[uid] }) {
        case .known(let name): return use(name)
        case .late: return use(nil)
        case .asked, nil: break
        }
        Task { use((try? await askedName(of: uid)) ?? nil) }
    }

    private func askedName(of uid: UInt32) async throws -> String? {
        try await withCheckedThrowingContinuation { continuation in
            let answer = OneAnswer<String?>(continuation)
            Task {
                try await Task.sleep(for: Self.patience)
                giveUp(uid)
            }
            ask(for: uid, answer)
        }
    }

    private func ask(for uid: UInt32, _ answer: OneAnswer<String?>) {
        let (known, isFirst) = names.withLock { names -> (String??, Bool) in
            switch names[uid] {
            case .known(let name): return (name, false)
            case .late: return (.some(nil), false)
            case .asked(var others):
                // Not to be copied for each one more.
                names[uid] = nil
                others.append(answer)
                names[uid] = .asked(others)
                return (nil, false)
            case nil:
                if names.count >= Self.most { names = names.filter(\.value.isPending) }
                names[uid] = .asked([answer])
                return (nil, true)
            }
        }
        if let known { answer.give(.success(known)) }
        if isFirst { NamedThread.start("user names") { [self] in note(UserAccount.name(ofUser: uid), of: uid) } }
    }

    private func note(_ name: String?, of uid: UInt32) {
        for answer in replace(uid, by: .known(name)) { answer.give(.success(name)) }
    }

    private func giveUp(_ uid: UInt32) {
        for answer in replace(uid, by: .late) { answer.give(.success(nil)) }
    }

    /// Returns who waits. What has been found out meanwhile stays.
    private func replace(_ uid: UInt32, by name: Name) -> [OneAnswer<String?>] {
        names.withLock { names in
            if case .known = names[uid] { return [] }
            defer { names[uid] = name }
            guard case .asked(let waiting) = names[uid] else { return [] }
            return waiting
        }
    }

    /// What is asked for just now is still answered.
    func forget() {
        names.withLock { names in names = names.filter(\.value.isPending) }
    }
}

extension UserNames.Name {
    fileprivate var isPending: Bool {
        switch self {
        case .asked, .late: true
        case .known: false
        }
    }
}
