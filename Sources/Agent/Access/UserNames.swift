import Platform

/// The names of users who have connected, for the audit log. The user database may be far away: no thread that serves
/// sockets asks it, and no connection waits for it long.
final class UserNames: Sendable {
    fileprivate enum Name {
        case known(String?)
        /// It is being looked up, by the look-up of this number, and these wait.
        case asked(Int, [OneAnswer<String?>])
        /// Looking it up has taken longer than a connection waits, and goes on.
        case late
    }

    private struct State {
        var names: [UInt32: Name] = [:]
        var lookUps = 0
    }

    private let state = Locked(State())
    private let lookUp: @Sendable (UInt32) -> String?
    /// Returns when no connection waits for a name any longer.
    private let patience: @Sendable () async throws -> Void

    /// Users remembered at a time.
    private static let most = 1_024

    init(
        lookUp: @escaping @Sendable (UInt32) -> String? = { UserAccount.name(ofUser: $0) },
        patience: @escaping @Sendable () async throws -> Void = { try await Task.sleep(for: .milliseconds(250)) }
    ) {
        self.lookUp = lookUp
        self.patience = patience
    }

    /// Calls once, with the user's name, `nil` for one without, and when it takes too long to find out: at once when that is
    /// known.
    func name(of uid: UInt32, then use: @escaping @Sendable (String?) -> Void) {
        switch state.withLock({ $0.names[uid] }) {
        case .known(let name): return use(name)
        case .late: return use(nil)
        case .asked, nil: break
        }
        Task { use((try? await askedName(of: uid)) ?? nil) }
    }

    private func askedName(of uid: UInt32) async throws -> String? {
        try await withCheckedThrowingContinuation { ask(for: uid, OneAnswer($0)) }
    }

    private func ask(for uid: UInt32, _ answer: OneAnswer<String?>) {
        let (known, begun) = state.withLock { state -> (String??, Int?) in
            switch state.names[uid] {
            case .known(let name): return (name, nil)
            case .late: return (.some(nil), nil)
            case .asked(let number, var others):
                // Not to be copied for each one more.
                state.names[uid] = nil
                others.append(answer)
                state.names[uid] = .asked(number, others)
                return (nil, nil)
            case nil:
                if state.names.count >= Self.most { state.names = state.names.filter(\.value.isPending) }
                state.lookUps += 1
                state.names[uid] = .asked(state.lookUps, [answer])
                return (nil, state.lookUps)
            }
        }
        if let known { answer.give(.success(known)) }
        guard let begun else { return }
        NamedThread.start("user names") { [self] in note(lookUp(uid), of: uid) }
        Task {
            try await patience()
            giveUp(uid, begun)
        }
    }

    private func note(_ name: String?, of uid: UInt32) {
        let waiting = state.withLock { state in
            let waiting = state.names[uid]?.waiting ?? []
            state.names[uid] = .known(name)
            return waiting
        }
        for answer in waiting { answer.give(.success(name)) }
    }

    /// Answers the connections that wait for a look-up, if it has not ended. What it found meanwhile stays, and so does that it is
    /// forgotten, or asked for anew.
    private func giveUp(_ uid: UInt32, _ lookUp: Int) {
        let waiting = state.withLock { state -> [OneAnswer<String?>] in
            guard case .asked(lookUp, let waiting) = state.names[uid] else { return [] }
            state.names[uid] = .late
            return waiting
        }
        for answer in waiting { answer.give(.success(nil)) }
    }

    /// What is asked for just now is still answered.
    func forget() {
        state.withLock { state in state.names = state.names.filter(\.value.isPending) }
    }
}

extension UserNames.Name {
    fileprivate var isPending: Bool {
        switch self {
        case .asked, .late: true
        case .known: false
        }
    }

    fileprivate var waiting: [OneAnswer<String?>] {
        if case .asked(_, let waiting) = self { waiting } else { [] }
    }
}
