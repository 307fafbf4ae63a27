public import IssuerStore
public import KeyLifecycle
import Platform

extension InMemorySharedStore {
    /// The store as one agent has it.
    public final class Handle: SharedIssuerStorage {
        private struct Own {
            var member: FleetMember?
            /// Members that are to go, the revision of their mark, and when this agent saw it first.
            var leaving: [String: (mark: Int64, since: Int64)] = [:]
            var refusal: StoreError?
            var troubles: [StoreError] = []
            var whileRenewing: @Sendable () -> Void = {}
        }

        public let deployment: Deployment
        private let store: InMemorySharedStore
        private let user: SharedUser
        private let line: StoreLine
        private let clock: @Sendable () -> Int64
        private let own = Locked(Own())

        init(store: InMemorySharedStore, user: SharedUser, line: StoreLine, clock: @escaping @Sendable () -> Int64) {
            deployment = store.deployment
            (self.store, self.user, self.line, self.clock) = (store, user, line, clock)
        }

        // MARK: What a test does to it

        public func set(_ state: StoreLineState) { line.set(state) }

        /// Has the next changes be made, and `.undecided` be thrown for them.
        public func loseAnswers(_ count: Int = 1) { line.loseAnswers(count) }

        /// Has the next changes not be made, and `.undecided` be thrown for them.
        public func loseRequests(_ count: Int = 1) { line.loseRequests(count) }

        /// Has changes not be made and this be thrown for them, as a store does that can be read alone; with `nil`, no more.
        public func refuseChanges(_ error: StoreError?) { own.withLock { $0.refusal = error } }

        /// What is wrong with parts of the store from now on.
        public func setTroubles(_ troubles: [StoreError]) { own.withLock { $0.troubles = troubles } }

        /// What happens while this agent says that it is there.
        public func whileRenewing(_ body: @escaping @Sendable () -> Void) { own.withLock { $0.whileRenewing = body } }

        /// Has watches say nothing, without an end.
        public func dropHints(_ isDropping: Bool = true) { line.dropHints(isDropping) }

        /// Ends watches, as a cluster does that tells no more.
        public func endWatches() { line.endWatches() }

        /// Returns once so many calls of this agent are held.
        public func untilHeld(_ count: Int = 1) async { await line.untilHeld(count) }

        // MARK: Views

        public func view() async throws -> StoreView {
            while true {
                let sentAt = clock()
                let (member, user) = (own.withLock { $0.member }, user)
                let (view, wasAway) = try await line.pass(isChange: false) {
                    try store.changing(by: user.agent) { state, _ throws(StoreError) in
                        let view = state.view(for: user, sentAt: sentAt)
                        let wasAway = try member.map { member throws(StoreError) in try state.confirm(member, user) } ?? false
                        return (view, wasAway)
                    }
                }
                if !wasAway { return view }
            }
        }

        public func contents() async throws -> StoreContents {
            let view = try await view()
            guard let unreadable = view.unreadable.min(by: { $0.key < $1.key }) else { return view.contents }
            throw StoreError(
                .corrupt, "the issuer \(unreadable.key) cannot be believed: \(unreadable.value)", hint: "see who edited it")
        }

        public func head() async throws -> HeadReading {
            let sentAt = clock()
            return try await line.pass(isChange: false) {
                HeadReading(head: store.common.withLock { $0.head }, sentAt: sentAt)
            }
        }

        public func watch(after revision: Int64, _ hint: @escaping @Sendable (StoreHint) async -> Void) async throws {
            try await line.pass(isChange: false) {}
            let stream = line.watch()
            let missed = store.common.withLock { state in
                (state.contentsRevision > revision, state.membersRevision > revision)
            }
            if missed.0 { line.tell(.contents) }
            if missed.1 { line.tell(.members) }
            for try await told in stream { await hint(told) }
            throw StoreError.away
        }

        // MARK: Who is there

        public func join(_ member: FleetMember) async throws {
            let user = user
            try await change { state, now throws(StoreError) in try state.join(member, user, now) }
            own.withLock { $0.member = member }
        }

        public func renew(clock wall: Int64) async throws {
            let (user, member) = (user, try joined())
            try await change { state, now throws(StoreError) in try state.renew(member, clock: wall, user, now) }
            own.withLock { $0.whileRenewing }()
            try await endDismissals()
        }

        public func report(_ report: MemberReport) async throws {
            let (user, member) = (user, try joined())
            try await change { state, now throws(StoreError) in
                _ = try state.confirm(member, user)
                state.report(report.bounded, user, now)
            }
        }

        public func leave() async throws {
            let user = user
            try await change { state, _ throws(StoreError) in state.leave(user) }
            own.withLock { $0.member = nil }
        }

        public func fleet() async throws -> FleetReading {
            let sentAt = clock()
            let now = store.clock()
            noteLeaving(at: sentAt)
            return try await line.pass(isChange: false) {
                store.common.withLock { state in
                    FleetReading(entries: state.fleet(now), revision: state.revision, sentAt: sentAt)
                }
            }
        }

        public func dismiss(_ member: FleetMember) async throws {
            try await change { state, now throws(StoreError) in state.beginDismissal(of: member, now) }
        }

        /// Takes those away who have had their time since this agent saw their mark.
        private func endDismissals() async throws {
            let now = clock()
            let leaving = noteLeaving(at: now)
            let due = own.withLock { own in
                own.leaving.filter { key, seen in
                    now - seen.since >= Int64((leaving[key]?.member.staleness ?? 0) + FleetMember.slack) * 1_000_000_000
                }.map { (key: $0.key, mark: $0.value.mark) }
            }
            guard !due.isEmpty else { return }
            try await change { state, _ throws(StoreError) in
                for (key, mark) in due { state.endDismissal(of: key, mark) }
            }
        }

        @discardableResult
        private func noteLeaving(at now: Int64) -> [String: SharedState.Member] {
            let leaving = store.common.withLock { $0.members.filter(\.value.isLeaving) }
            own.withLock { own in
                own.leaving = own.leaving.filter { key, seen in leaving[key]?.revision == seen.mark }
                for (key, row) in leaving where own.leaving[key] == nil { own.leaving[key] = (row.revision, now) }
            }
            return leaving
        }

        private func joined() throws(StoreError) -> FleetMember {
            guard let member = own.withLock({ $0.member }) else {
                throw StoreError(.unavailable, "this agent has not joined", hint: "have it join first")
            }
            return member
        }

        // MARK: Claims

        public func claimStandby(of issuer: IssuerName) async throws -> Bool {
            let user = user
            return try await change { state, now throws(StoreError) in state.claim(issuer, user, now) }
        }

        public func releaseStandby(of issuer: IssuerName) async throws {
            let user = user
            try await change { state, _ throws(StoreError) in state.release(issuer, user) }
        }

        // MARK: Audit logs

        public var agent: String { user.agent }

        public func publish(_ head: PublishedHead) async throws {
            let (user, member) = (user, try joined())
            try await change { state, _ throws(StoreError) in
                _ = try state.confirm(member, user)
                state.heads[user.agent] = head
            }
        }

        public func heads() async throws -> [PublishedHead] {
            try await line.pass(isChange: false) {
                store.common.withLock { state in state.heads.sorted { $0.key < $1.key }.map(\.value) }
            }
        }

        // MARK: What is committed

        @discardableResult
        public func commit(_ change: IssuerChange, fulfilling: [KeyID]) async throws -> Int64? {
            try await changeContents { contents throws(StoreError) in try contents.commit(change, fulfilling: fulfilling) }
        }

        public func record(_ intent: GenerationIntent) async throws {
            let mine = GenerationIntent(
                keyID: intent.keyID, issuer: intent.issuer, algorithm: intent.algorithm, recordedAt: intent.recordedAt,
                isTombstone: intent.isTombstone, incarnation: user.incarnation)
            try await changeContents { contents throws(StoreError) in try contents.record(mine) }
        }

        public func bury(_ keyID: KeyID) async throws {
            try await changeContents { contents throws(StoreError) in try contents.bury(keyID) }
        }

        public func abandon(_ keyID: KeyID, publicKey: [UInt8]?, at moment: Timestamp) async throws {
            try await changeContents { contents throws(StoreError) in
                try contents.abandon(keyID, publicKey: publicKey, at: moment)
            }
        }

        public func markDestroyed(_ keyID: KeyID, at moment: Timestamp) async throws {
            try await changeContents { contents throws(StoreError) in try contents.markDestroyed(keyID, at: moment) }
        }

        public func strandDestructions() async throws {
            try await changeContents { contents throws(StoreError) in contents.strandDestructions() }
        }

        public func recognised(_ keyIDs: Set<KeyID>) async throws -> Set<KeyID> {
            try await line.pass(isChange: false) {
                store.common.withLock { state in keyIDs.filter(state.contents.knows) }
            }
        }

        public func noteToken(_ token: TokenIdentity) async throws {
            try await changeContents { contents throws(StoreError) in contents.token = token }
        }

        public func settle(_ settlement: Settlement) async throws {
            try await change { state, _ throws(StoreError) in
                try state.contents.settle(settlement)
                state.epoch += 1
                state.touchHead()
            }
        }

        public func noteAgents(_ ids: Set<String>) async throws {
            try await changeContents { contents throws(StoreError) in contents.agents.formUnion(ids) }
        }

        public func forgetAgents(_ ids: Set<String>) async throws {
            try await changeContents { contents throws(StoreError) in contents.agents.subtract(ids) }
        }

        // MARK: What is about this machine

        public func noteFrontends(_ count: Int) async throws {
            store.common.withLock { $0.machines[user.keeper, default: .init()].frontends = count }
        }

        public func refusedPIN() async throws -> RefusedPIN? {
            store.common.withLock { $0.machines[user.keeper]?.refused }
        }

        public func setRefusedPIN(_ refused: RefusedPIN?) async throws {
            store.common.withLock { $0.machines[user.keeper, default: .init()].refused = refused }
        }

        public func checkPlace() async throws {
            try await line.pass(isChange: false) {}
        }

        public func troubles() async -> [StoreError] { own.withLock { $0.troubles } }

        public func probe() async throws {
            if let refusal = own.withLock({ $0.refusal }) { throw refusal }
            try await line.pass(isChange: false) {}
        }

        public func save() async throws -> String? {
            try await checkPlace()
            return nil
        }

        @discardableResult
        private func change<Value: Sendable>(
            _ body: @escaping @Sendable (inout SharedState, _ now: Int64) throws(StoreError) -> Value
        ) async throws -> Value {
            if let refusal = own.withLock({ $0.refusal }) { throw refusal }
            let store = store
            return try await line.pass(isChange: true) { try store.changing(by: user.agent, body) }
        }

        @discardableResult
        private func changeContents(
            _ body: @escaping @Sendable (inout InMemoryState) throws(StoreError) -> Void
        ) async throws -> Int64? {
            try await change { state, _ throws(StoreError) in try state.change(body) }
        }
    }
}

extension MemberReport {
    /// As the store keeps it: when there is more than it can name, it names nothing.
    fileprivate var bounded: MemberReport {
        guard isBehindMuch || [draining, unserved, unusable].contains(where: { $0.count > Self.limit }) else { return self }
        var brief = MemberReport(revision: revision, isBehindMuch: true, frontends: frontends)
        brief.followers = followers.map { FollowingFrontend(name: $0.name, count: $0.count, staleAfter: $0.staleAfter) }
        return brief
    }
}

extension SharedState {
    mutating func view(for user: SharedUser, sentAt: Int64) -> StoreView {
        var contents = contents.contents
        contents.issuers.removeAll { unreadable[$0.name] != nil }
        contents.frontends = machines[user.keeper]?.frontends ?? 0
        return StoreView(
            contents: contents, head: head, revision: revision, sentAt: sentAt,
            regressions: regressions(for: user.keeper, contents), unreadable: unreadable)
    }
}
