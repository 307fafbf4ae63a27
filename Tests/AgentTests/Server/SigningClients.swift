import AgentClient
import AgentProtocol
import Platform
import RelyingParty
import Testing

/// Clients that sign without a pause, and remember what came of it.
///
/// Each JWT is verified when it comes: one that does not verify is counted by its issuer.
final class SigningClients: Sendable {
    struct Tally: Sendable, Equatable {
        var signed = 0
        var unverified = 0
        /// By reason.
        var failures: [String: Int] = [:]
    }

    private struct State {
        var tallies: [String: Tally] = [:]
        /// Of each client, signatures since the last `start over`.
        var recent: [Int: Int] = [:]
        var isOver = false
    }

    private let state = Locked(State())
    private let count: Int

    private init(count: Int) {
        self.count = count
    }

    /// Runs `count` clients, each with a connection of its own, in turn for one issuer and another, while `body` runs.
    static func run(
        _ count: Int, _ agent: AgentFixture, issuers: [String], _ body: (SigningClients) async throws -> Void
    ) async throws {
        let clients = SigningClients(count: count)
        var verifiers: [String: JWTVerifier] = [:]
        try await agent.connected { client in
            for issuer in issuers {
                verifiers[issuer] = try await JWTVerifier(keySet: Array(client.discovery(issuer).jwks.body.utf8))
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                let issuer = issuers[number % issuers.count]
                let verifier = try #require(verifiers[issuer])
                group.addTask { try await clients.sign(number, issuer, verifier, agent) }
            }
            do {
                try await body(clients)
            } catch {
                clients.state.withLock { $0.isOver = true }
                throw error
            }
            clients.state.withLock { $0.isOver = true }
            try await group.waitForAll()
        }
    }

    private func sign(_ number: Int, _ issuer: String, _ verifier: JWTVerifier, _ agent: AgentFixture) async throws {
        try await agent.connected { client in
            while !state.withLock({ $0.isOver }) {
                do {
                    let jwt = try await client.sign(issuer).jwt
                    let verifies = (try? verifier.verify(jwt, now: Double(agent.clock.now))) != nil
                    state.withLock { state in
                        state.tallies[issuer, default: Tally()].signed += 1
                        if !verifies { state.tallies[issuer]?.unverified += 1 }
                        state.recent[number, default: 0] += 1
                    }
                } catch let error as ProtocolError {
                    state.withLock { $0.tallies[issuer, default: Tally()].failures[error.reason.rawValue, default: 0] += 1 }
                    // A client that is refused comes back in a moment.
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
        }
    }

    /// What has come since the last call of this, by issuer.
    func takeTallies() -> [String: Tally] {
        state.withLock { state in
            defer { state.tallies = [:] }
            return state.tallies
        }
    }

    /// What has come since the last `takeTallies()`.
    var tallies: [String: Tally] { state.withLock { $0.tallies } }

    /// Waits until every client has signed so many times anew; false when that does not happen.
    func haveSigned(_ times: Int) async -> Bool {
        state.withLock { $0.recent = [:] }
        return await eventually {
            self.state.withLock { state in (0..<self.count).allSatisfy { state.recent[$0, default: 0] >= times } }
        }
    }
}

/// Waits until something is so, for two minutes at most, since all tests run at once. False when it does not come about.
func eventually(_ isSo: () async throws -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(120)
    repeat {
        if (try? await isSo()) == true { return true }
        try? await Task.sleep(for: .milliseconds(10))
    } while ContinuousClock.now < deadline
    return false
}
