import Agent
import AgentClient
import FaultyTokenSupport
import PKCS11
import Platform

extension AgentFixture {
    /// Calls with an agent that has not been started, on a token that fails on command.
    static func stopped(
        lacking functions: [String] = [], _ body: (AgentFixture, FaultyToken) async throws -> Void
    ) async throws {
        try await FaultyToken.with(lacking: functions) { token in
            let agent = try AgentFixture(token.softHSM)
            agent.configuration.withLock { $0.hsm.modulePath = token.modulePath }
            try await agent.stoppedAfter { try await body($0, token) }
        }
    }

    /// Calls with an agent that has been started, on a token that fails on command.
    static func with(
        _ rules: String..., body: (AgentFixture, FaultyToken, AgentConnection) async throws -> Void
    ) async throws {
        try await stopped { agent, token in
            try token.set(rules)
            try await agent.start()
            try await agent.connected { try await body(agent, token, $0) }
        }
    }

    /// How many key objects are on the token, public and private.
    func keyObjectsOnToken() throws -> Int {
        try onToken { session in
            try session.findObjects([.class(.privateKey)]).count + session.findObjects([.class(.publicKey)]).count
        }
    }
}
