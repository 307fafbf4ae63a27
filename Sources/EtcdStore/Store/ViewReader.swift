import IssuerStore

/// Reads what a view shows: everything once, and from then on what is different.
///
/// The store says what was changed since a revision, and how many keys there are: when those that were known and those that are new
/// are as many, nothing was removed. All of that holds within one history. Whether it is still the one that was read before, `head`
/// as of the revision of that reading says, whose id no other history has; where that is not kept any more, everything is read.
struct ViewReader: Sendable {
    /// Keys of a group in the first answer: all groups together have to go through the gateway.
    private static let page = 100

    let gateway: EtcdGateway
    let layout: StoreLayout
    let agent: String

    /// Everything.
    func everything() async throws(EtcdError) -> ViewUpdate {
        let outcome = try await gateway.carryOut(
            EtcdTransaction(success: layout.groups.map { .get(.prefix($0), limit: Self.page) } + places))
        return try await update(outcome, since: 0)
    }

    /// What is different from a view.
    ///
    /// - Returns: `nil` when that cannot be told and everything has to be read.
    /// - Throws: `EtcdError`, with `.compacted` when the revision of the view is not kept any more.
    func changes(since view: StoredView) async throws(EtcdError) -> ViewUpdate? {
        guard gateway.cluster == view.cluster else { return nil }
        let since = view.revision + 1
        let outcome = try await gateway.carryOut(
            EtcdTransaction(
                success: layout.groups.map { .get(.prefix($0), limit: Self.page, since: since) } + places
                    + [.get(.key(layout.head), revision: view.revision)]))
        guard outcome.revision >= view.revision, let head = outcome.found.last?.values.first,
            (try? StoreHead(head)) == view.head
        else { return nil }
        var update = try await update(outcome, since: since)
        for (group, page) in zip(layout.groups, outcome.found) {
            let added = update.names(group).filter { !view.has($0, in: group) }
            guard view.count(group) + added.count != Int(page.count) else { continue }
            let known = view.names(group).union(added)
            let there = try await gateway.read(.prefix(group), at: outcome.revision, keysOnly: true, page: 1_000)
            update.removed[group] = known.subtracting(there.values.map { String($0.name.dropFirst(group.count)) })
            // What is neither known nor new is of another history.
            guard there.values.count == known.count - (update.removed[group]?.count ?? 0) else { return nil }
        }
        return update
    }

    private var places: [EtcdOperation] {
        [layout.meta, layout.head, layout.token, layout.member(agent)].map { .get(.key($0)) }
    }

    private func update(_ outcome: EtcdOutcome, since: Int64) async throws(EtcdError) -> ViewUpdate {
        let groups = layout.groups
        guard outcome.found.count >= groups.count + 4 else {
            throw EtcdError(
                .unreadable, "etcd has answered \(outcome.found.count) of \(groups.count + 4) questions",
                hint: "check that etcd listens at the endpoints and nothing else")
        }
        let places = outcome.found[groups.count..<groups.count + 4].map(\.values.first)
        var update = ViewUpdate(
            revision: outcome.revision, cluster: gateway.cluster, sentAt: outcome.sentAt, meta: places[0], head: places[1],
            token: places[2], member: places[3])
        for (group, page) in zip(groups, outcome.found) {
            update.changed[group] = page.values
            guard page.hasMore, let last = page.values.last else { continue }
            let rest = EtcdKeyRange(start: last.key + [0], end: EtcdKeyRange.prefix(group).end)
            update.changed[group]? += try await gateway.read(rest, at: outcome.revision, since: since).values
        }
        return update
    }
}

extension ViewUpdate {
    fileprivate func names(_ group: String) -> Set<String> {
        Set((changed[group] ?? []).map { String($0.name.dropFirst(group.count)) })
    }
}
