import AgentClient
import AgentProtocol
import Platform
import TestSupport

/// Clients that sign, and operators that change issuers, until the agent is gone under them.
struct Load: Sendable {
    let ledger: Ledger
    let connect: @Sendable () async throws -> AgentConnection
    let findings: Findings

    /// Signs for one issuer after the other.
    func sign(_ generator: SeededGenerator) async {
        var generator = generator
        await untilKilled { client in
            while let name = ledger.names().randomElement(using: &generator) {
                do {
                    ledger.handedOut(try await client.call(SignParameters(issuer: name, claims: ["aud": "api"])), by: name)
                } catch is ProtocolError {
                    // Deleted meanwhile, or the token is being held: what a client may be told.
                }
                // Leaves the processor to the changes, which are what is to be hit.
                try await Task.sleep(for: .milliseconds(2))
            }
        }
    }

    /// Changes the issuers that are this operator's, one change after the other. Each name belongs to one operator, so
    /// that it is known which change was the last.
    func operate(_ generator: SeededGenerator, prefix: String) async {
        var generator = generator
        await untilKilled { client in
            let requests = ChangeRequests(client: client, ledger: ledger)
            while true {
                let own = ledger.names().filter { $0.hasPrefix(prefix) }
                guard let name = own.randomElement(using: &generator) else {
                    try await requests.create(Self.freshName(prefix, &generator), "ES256")
                    continue
                }
                switch Int.random(in: 0..<20, using: &generator) {
                case 0..<8: try await requests.rotate(name)
                case 8: try await requests.revokeKey(in: "active", of: name)
                case 9: try await requests.revokeKey(in: "retiring", of: name)
                case 10: try await requests.revokeKey(in: "standby", of: name)
                case 11..<14: try await requests.enable(name, true)
                case 14..<17: try await requests.enable(name, false)
                case 17..<19 where own.count < 4:
                    try await requests.create(
                        Self.freshName(prefix, &generator), Int.random(in: 0..<4, using: &generator) == 0 ? "RS256" : "ES256")
                default: if own.count > 1 { try await requests.delete(name) }
                }
            }
        }
    }

    /// Never the same twice: what is said of an issuer is not to be mixed up with another's of its name.
    static func freshName(_ prefix: String, _ generator: inout SeededGenerator) -> String {
        prefix + String(generator.next() % 0xFFFF_FFFF, radix: 36)
    }

    private func untilKilled(_ body: (AgentConnection) async throws -> Void) async {
        do {
            let client = try await connect()
            do {
                try await body(client)
            } catch let error as AgentUnreachable where error.code != .malformedReply {
                // The kill.
            }
            await client.close()
        } catch is AgentUnreachable {
            // Killed before it could connect.
        } catch is CancellationError {
        } catch {
            findings.add("a client got what it must not: \(error)")
        }
    }
}

/// What was found wrong, and how much was looked at.
final class Findings: Sendable {
    private let state = Locked<(found: [String], checks: Int)>(([], 0))
    /// What the campaign is at.
    private let place = Locked("")

    var found: [String] { state.withLock { $0.found } }
    var checks: Int { state.withLock { $0.checks } }

    func enter(_ text: String) { place.withLock { $0 = text } }

    func add(_ text: String) {
        let place = place.withLock { $0 }
        state.withLock { $0.found.append("\(place): \(text)") }
    }

    func expect(_ isSo: Bool, _ text: @autoclosure () -> String) {
        state.withLock { $0.checks += 1 }
        if !isSo { add(text()) }
    }
}
