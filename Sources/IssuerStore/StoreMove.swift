/// Whether there is a store in a place, and whether it counts.
public enum StoreStanding: Hashable, Sendable {
    case missing
    /// Agents use it.
    case live(deployment: String)
    /// It is being filled from another one.
    case migrating(deployment: String)
    /// It has been moved to another place.
    case moved(deployment: String, to: String)
}

/// A place that a whole store can be moved from and to.
///
/// Each call that changes something can be made again after it was cut off, and has the same outcome. While a place is only written
/// to as a target, its state keeps every agent from it.
/// - Throws: `StoreError` from every call.
public protocol MovableStore: Sendable {
    /// What says which place it is, for people and to be found again; known once `standing` has returned.
    var place: String { get }

    func standing() async throws -> StoreStanding

    /// Reads everything as of one moment, of a store in any state.
    func export() async throws -> StoreExport

    /// Makes an empty store that is being filled, or has one that is being filled or was moved away be so again.
    func beginMigration(of deployment: Deployment) async throws

    /// Has a store that is being filled hold this and nothing else.
    ///
    /// - Parameter written: called after each part that is on the disk.
    func fill(_ export: StoreExport, _ written: () async throws -> Void) async throws

    /// Has the store count no more, unless it has changed since it was last exported.
    ///
    /// - Parameter place: where it has been moved to.
    /// - Throws: `StoreError` with `.conflict` when it has changed.
    func markMoved(to place: String) async throws

    /// Has a store that has been filled count.
    func endMigration() async throws
}

/// The move of a whole store to another place.
///
/// There is never more than one place that an agent starts on: the target is filled in a state that keeps agents away, then the
/// source is marked as moved, then the target counts. Cut off anywhere, the same move goes on with what is left to do.
public struct StoreMove: Sendable {
    /// What is on the disk.
    public enum Step: Hashable, Sendable {
        /// The target is there and keeps agents away.
        case begun
        /// So many parts have been copied.
        case copied(Int)
        /// The source keeps agents away and says where it went.
        case marked
        /// The target counts.
        case ended
    }

    /// What there is to do.
    public enum Finding: Hashable, Sendable {
        case begin
        /// A move to the same target was cut off: everything is compared, and copied again where it differs.
        case goOn
        /// The source is marked: the target only has to count.
        case end
        case nothing
    }

    private let source: any MovableStore
    private let target: any MovableStore
    public let finding: Finding
    /// Where from and where to.
    public let places: (source: String, target: String)
    /// What is to be moved.
    public let export: StoreExport

    /// Looks at both places and changes nothing.
    ///
    /// - Throws: `StoreError` for a source that is not there or does not count, and a target that holds another deployment, counts
    ///   already, or has moved on.
    public init(from source: any MovableStore, to target: any MovableStore) async throws {
        (self.source, self.target) = (source, target)
        let (from, to) = (try await source.standing(), try await target.standing())
        places = (source.place, target.place)
        guard places.source != places.target else {
            throw StoreError(.conflict, "\(places.source) is source and target", hint: "name another target")
        }
        finding = try Self.finding(from, to, places)
        export = try await source.export()
        guard finding == .goOn || finding == .begin, to != .missing else { return }
        let there = try await target.export()
        for (name, generation) in there.generations.sorted(by: { $0.key < $1.key }) {
            guard let own = export.generations[name], own >= generation else {
                throw StoreError(
                    .conflict,
                    "\(places.target) has moved on: the issuer \(name) is at generation \(generation) there and at "
                        + "\(export.generations[name] ?? 0) in \(places.source)",
                    hint: "find out which of the two stores counts, and move the other one away")
            }
        }
    }

    private static func finding(
        _ from: StoreStanding, _ to: StoreStanding, _ places: (source: String, target: String)
    ) throws(StoreError) -> Finding {
        let deployment: String
        switch from {
        case .missing: throw .missing(places.source)
        case .migrating:
            throw StoreError(
                .moved, "\(places.source) is being filled from another store, and that has not ended",
                hint: "go on with the move that it was begun with")
        case .moved(let own, let place):
            guard place == places.target else {
                throw StoreError(.moved, "\(places.source) has been moved to \(place)", hint: "configure that one")
            }
            switch to {
            case .live(own): return .nothing
            case .migrating(own): return .end
            default:
                throw StoreError(
                    .missing, "\(places.source) has been moved to \(place), and there is no such store",
                    hint: "bring back what was there; only if it is lost, restore a backup")
            }
        case .live(let own): deployment = own
        }
        switch to {
        case .missing, .moved(deployment, _): return .begin
        case .migrating(deployment): return .goOn
        case .live(deployment):
            throw StoreError(
                .conflict, "\(places.target) is a store of the same deployment, \(deployment), and counts",
                hint: "configure the one that counts, and move the other one away")
        case .live(let other), .migrating(let other), .moved(let other, _):
            throw StoreError(
                .conflict, "\(places.target) holds another deployment, \(other), and this one is \(deployment)",
                hint: "name a place that is empty")
        }
    }

    /// Carries it out.
    ///
    /// - Parameter done: called after each step.
    /// - Throws: `StoreError`; what has been done then stays, and is gone on from.
    public func run(_ done: (Step) async throws -> Void = { _ in }) async throws {
        switch finding {
        case .nothing: return
        case .begin, .goOn:
            try await target.beginMigration(of: export.deployment)
            try await done(.begun)
            var parts = 0
            try await target.fill(export) {
                parts += 1
                try await done(.copied(parts))
            }
            try await compare()
            try await source.markMoved(to: places.target)
            try await done(.marked)
        case .end:
            try await compare()
        }
        try await target.endMigration()
        try await done(.ended)
    }

    private func compare() async throws {
        guard try await target.export() == source.export() else {
            throw StoreError(
                .conflict, "\(places.target) differs from \(places.source), and neither was to change meanwhile",
                hint: "see that no agent runs on either, and run the move again")
        }
    }
}
