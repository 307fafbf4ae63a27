import DaemonKit
import EtcdStore
import Foundation
import IssuerStore

/// The agents of other machines that share a store, for a command that must be alone with it.
///
/// A lock keeps the agent of this machine away. One of another machine is a member of the fleet: as long as it says so it is there,
/// and when it has gone silent it may sign for as long as its settings let it.
private struct OtherAgents {
    /// Those that have said so within the last half minute.
    let present: [FleetMember]
    /// Those that have not, and have not left either.
    let silent: [FleetMember]

    init(_ entries: [FleetReading.Entry]) {
        present = entries.filter { $0.clock != nil }.map(\.member)
        silent = entries.filter { $0.clock == nil }.map(\.member)
    }

    func refuse(_ command: String) throws(StartupFailure) {
        guard !present.isEmpty else { return }
        throw StartupFailure(
            what: "other agents use the store: \(Self.names(present))",
            todo: "stop them first, and start them when \(command) is done")
    }

    /// As `refuse(_:)`, also for one that has come since those before it were looked for, and has gone silent.
    func refuseAny(_ command: String) throws(StartupFailure) {
        try refuse(command)
        guard silent.isEmpty else {
            throw StartupFailure(
                what: "agents have come and gone while \(command) waited: \(Self.names(silent))",
                todo: "see what happens to them, and run this again when they are stopped")
        }
    }

    static func names(_ members: [FleetMember]) -> String {
        members.map { "\($0.id) on \($0.host)" }.joined(separator: ", ")
    }
}

extension IssuerStorage {
    /// Returns when no agent of another machine uses the store. One that has gone silent is taken from the members, so that nothing
    /// confirms what it had, and waited out.
    ///
    /// - Parameter command: as it is called: `recover`.
    /// - Throws: `StartupFailure` naming those that are there.
    func requireNoOtherAgent(for command: String) async throws {
        guard let store = self as? EtcdIssuerStore else { return }
        let before = OtherAgents(try await store.others())
        try before.refuse(command)
        guard let longest = before.silent.map(\.staleness).max() else { return }
        for member in before.silent { try await store.dismiss(member) }
        // From here on their marks are known, and how long they have been there.
        try OtherAgents(await store.others()).refuse(command)
        // Until their time is over, and not a moment sooner.
        let wait = longest + FleetMember.slack + 1
        print("waiting \(wait) s for what has gone silent and has not left: \(OtherAgents.names(before.silent))")
        try await Task.sleep(for: .seconds(wait))
        try await store.endDismissals()
        try OtherAgents(await store.others()).refuseAny(command)
    }

    /// Calls what must be alone with the store, after the last question: no agent of another machine uses it, nor can one start
    /// before this has ended. When it is cut off, agents go on refusing to start, and the same command goes on.
    ///
    /// - Throws: `StartupFailure` naming those that have started since they were looked for; what `body` throws.
    func alone<Value>(for command: String, _ body: () async throws -> Value) async throws -> Value {
        guard let store = self as? EtcdIssuerStore else { return try await body() }
        let begun = try await store.beginRecovery()
        do {
            // One that had entered before it could see that.
            try OtherAgents(await store.others()).refuseAny(command)
            return try await body()
        } catch {
            if let begun { try? await store.endRecovery(begun) }
            throw error
        }
    }
}
