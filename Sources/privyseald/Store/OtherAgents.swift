import DaemonKit
import EtcdStore
import Foundation
import IssuerStore

/// The agents that share a store with this machine's, for a command that must be alone with it.
///
/// A lock keeps the agent of this machine away. One of another machine is a member of the fleet: as long as it says so it is there,
/// and when it has gone silent it may sign for as long as its settings let it.
struct OtherAgents: Equatable {
    /// Those that have said so within the last half minute.
    let present: [FleetMember]
    /// Those that have not, and have not left either.
    let silent: [FleetMember]

    /// - Parameter own: the id of this machine's agent, which is known not to run.
    init(_ reading: FleetReading, but own: String) {
        let others = reading.entries.filter { $0.member.id != own }
        present = others.filter { $0.clock != nil }.map(\.member)
        silent = others.filter { $0.clock == nil }.map(\.member)
    }

    /// How long none of the silent ones can be certain to have stopped signing, in seconds: its own time, and a little for what is
    /// on its way.
    var waitingTime: Int { silent.map { $0.staleness + 2 }.max() ?? 0 }

    /// Returns when there is no other agent. One that has gone silent is waited out and taken from the members.
    ///
    /// - Parameter command: as it is called: `recover`.
    /// - Throws: `StartupFailure` naming those that are there.
    static func requireNone(in storage: any IssuerStorage, for command: String) async throws {
        guard let shared = storage as? any SharedIssuerStorage, let own = (storage as? EtcdIssuerStore)?.agent else { return }
        let before = OtherAgents(try await shared.fleet(), but: own)
        try before.refuse(command)
        guard !before.silent.isEmpty else { return }
        let names = before.silent.map(name).joined(separator: ", ")
        print("waiting \(before.waitingTime) s for what has gone silent and has not left: \(names)")
        try await Task.sleep(for: .seconds(before.waitingTime))
        let now = OtherAgents(try await shared.fleet(), but: own)
        try now.refuse(command)
        for member in now.silent {
            guard before.silent.contains(member) else {
                throw StartupFailure(
                    what: "\(Self.name(member)) has come and gone while \(command) waited",
                    todo: "see what happens to it, and run this again when it is stopped")
            }
            try await shared.dismiss(member)
        }
    }

    private func refuse(_ command: String) throws(StartupFailure) {
        guard !present.isEmpty else { return }
        throw StartupFailure(
            what: "other agents use the store: \(present.map(Self.name).joined(separator: ", "))",
            todo: "stop them first, and start them when \(command) is done")
    }

    private static func name(_ member: FleetMember) -> String { "\(member.id) on \(member.host)" }
}
