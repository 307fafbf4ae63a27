import Agent
import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import IssuerStore
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@Suite("A misbehaving token under eight clients that sign throughout")
struct TokenFaultTests {
    /// Three that sign, one that manages, one for probing: none may be lost.
    private static let fewSessions = ["* sessions=5"]

    @Test("harms who the table says, is named by health, and is recovered from without a restart", arguments: TokenFault.table)
    func table(fault: TokenFault) async throws {
        try await underLoad(endedByTime: fault.isEndedByTime) { agent, client, token, clients in
            let before = try token.counters()
            try token.set(Self.fewSessions + fault.rules)
            if let health = fault.health {
                let isNamed = await eventually { try await client.healthText().contains(health) }
                let shown = try await client.healthText()
                #expect(isNamed, "health shows: \(shown)")
            }
            switch fault.harm {
            case .none: #expect(await clients.haveSigned(3))
            case .some: break
            case .everybody(let reason, _):
                #expect(await eventually { ["ec", "rsa"].allSatisfy { clients.tallies[$0]?.failures[reason] != nil } })
            case .ec(let reason):
                #expect(await eventually { clients.tallies["ec"]?.failures[reason] != nil })
            }
            if case .initialisation = fault.cure {
                #expect(await eventually { try token.count("C_Initialize") > before["C_Initialize", default: 0] })
            }
            try token.set(Self.fewSessions)
            let haveResumed = await clients.haveSigned(3)
            let shown = try await client.healthText()
            #expect(haveResumed, "health shows: \(shown)")

            let tallies = clients.takeTallies()
            check(tallies, fault.harm)
            if case .sessions = fault.cure { #expect(try token.count("C_Initialize") == before["C_Initialize"]) }
            // What is over is over.
            #expect(await clients.haveSigned(3))
            #expect(clients.takeTallies().values.allSatisfy { $0.failures.isEmpty && $0.unverified == 0 })
            // Disturbances are shown for a while after they end; nothing else is.
            agent.clock.pass(11)
            let isWell = await eventually {
                await agent.settle()
                return try await client.health().status == "ok"
            }
            let left = try await client.healthText()
            #expect(isWell, "health shows: \(left)")
            // Three that sign and one that manages: nothing has been lost on the way.
            // But for those that the module called invalid though it goes on counting them.
            let wasLiedTo = fault.rules.contains { $0.contains("return=CKR_SESSION") && $0.contains("count=1") }
            #expect(
                await eventually {
                    if !wasLiedTo { _ = try token.slot().openSession(.readOnly) }
                    return true
                }, "no session is left")
            try await client.rotate("ec")
        }
    }

    private func check(_ tallies: [String: SigningClients.Tally], _ harm: TokenFault.Harm) {
        #expect(tallies.values.allSatisfy { $0.unverified == 0 })
        func reasons(_ issuer: String) -> Set<String> { Set(tallies[issuer]?.failures.keys.map { $0 } ?? []) }
        switch harm {
        case .none:
            #expect(reasons("ec").union(reasons("rsa")).isEmpty)
        case .everybody(let reason, let waiting):
            for issuer in ["ec", "rsa"] {
                #expect(reasons(issuer).contains(reason), "\(tallies)")
                #expect(reasons(issuer).subtracting([reason, waiting].compactMap(\.self)).isEmpty, "\(tallies)")
            }
        case .ec(let reason):
            #expect(reasons("ec") == [reason] && reasons("rsa").isEmpty, "\(tallies)")
        case .some(let reason):
            #expect(reasons("ec").union(reasons("rsa")).isSubset(of: [reason]), "\(tallies)")
        }
    }

    @Test("a faulty RSA signature never leaves, and its key is out of use until a trial succeeds")
    func faultyRSA() async throws {
        try await underLoad { _, client, token, clients in
            try token.set("C_Sign corrupt mechanism=CKM_RSA_PKCS")
            #expect(await eventually { clients.tallies["rsa"]?.failures["HSM_UNAVAILABLE"] != nil })
            #expect(try await client.healthText().contains("does not verify"))
            try token.clear()
            #expect(await clients.haveSigned(3))
            let tallies = clients.takeTallies()
            #expect(tallies["rsa"]?.unverified == 0)
            #expect(tallies["ec"]?.failures.isEmpty == true)
        }
    }

    @Test("faulty EC signatures are noticed by the sample, and the key is out of use then")
    func faultyEC() async throws {
        try await underLoad { _, client, token, clients in
            try token.set("C_Sign corrupt mechanism=CKM_ECDSA")
            #expect(await eventually { clients.tallies["ec"]?.failures["HSM_UNAVAILABLE"] != nil })
            #expect(try await client.healthText().contains("does not verify"))
            // From here on each trial is verified.
            _ = clients.takeTallies()
            #expect(await eventually { (clients.tallies["ec"]?.failures["HSM_UNAVAILABLE"] ?? 0) > 300 })
            #expect(clients.tallies["ec"]?.unverified == 0)
            try token.clear()
            #expect(await clients.haveSigned(3))
            #expect(clients.takeTallies()["ec"]?.unverified == 0)
        }
    }

    @Test(
        "a refused PIN is sent once, nothing is tried until its source has changed, and then no restart is needed",
        arguments: [
            "CKR_PIN_INCORRECT", "CKR_PIN_LEN_RANGE", "CKR_PIN_LOCKED", "CKR_PIN_EXPIRED", "CKR_USER_PIN_NOT_INITIALIZED",
            "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
        ])
    func refusedPIN(value: String) async throws {
        let identity = Locked("first")
        try await underLoad(pin: { identity.withLock { $0 } }) { agent, client, token, clients in
            let logins = try token.count("C_Login")
            try token.set(
                "C_Login return=\(value)", "C_Sign invalidate-sessions count=1",
                // Or the token would contradict itself.
                value == "CKR_USER_PIN_NOT_INITIALIZED" ? "C_GetTokenInfo clear-flags=CKF_USER_PIN_INITIALIZED" : "")
            #expect(await eventually { try await client.health().status == "unavailable" })
            #expect(try await client.healthText().contains(value))
            await agent.lookAfterPIN()
            #expect(try await agent.store.refusedPIN()?.returnValue == value)
            try token.clear()
            _ = clients.takeTallies()
            #expect(await eventually { clients.tallies.values.allSatisfy { ($0.failures["HSM_UNAVAILABLE"] ?? 0) > 20 } })
            await agent.lookAfterPIN()
            #expect(try token.count("C_Login") == logins + 1)

            identity.withLock { $0 = "second" }
            await agent.lookAfterPIN()
            #expect(await clients.haveSigned(3))
            await agent.lookAfterPIN()
            #expect(try await agent.store.refusedPIN() == nil)
        }
    }

    /// SoftHSM reads the file of a token when it is initialised, and other processes write it in place.
    private static let unsettled = "C_Login return=CKR_USER_PIN_NOT_INITIALIZED until=C_Initialize"

    @Test("a token that was read while another process wrote to it has no PIN for a moment, and nobody has to look after it")
    func unsettledPIN() async throws {
        try await underLoad { agent, client, token, clients in
            let initialisations = try token.count("C_Initialize")
            try token.set(Self.unsettled, "C_Sign invalidate-sessions count=1")
            #expect(await eventually { try token.count("C_Initialize") > initialisations })
            #expect(await clients.haveSigned(3))
            await agent.lookAfterPIN()
            #expect(try await agent.store.refusedPIN() == nil)
            #expect(await eventually { try await client.health().status == "ok" })
        }
    }

    @Test("nor has anybody to start the agent again for it")
    func unsettledPINAtStart() async throws {
        try await AgentFixture.with(Self.unsettled) { agent, token, client in
            try await client.create()
            _ = try await client.sign()
            #expect(try token.count("C_Login") == 2 && token.count("C_Initialize") == 2)
            #expect(try await agent.store.refusedPIN() == nil)
        }
    }

    @Test("a key that is held for ever costs the one change that made it, and its leftovers are accounted for")
    func heldGeneration() async throws {
        try await underLoad(endedByTime: true) { agent, client, token, clients in
            try token.set("C_GenerateKeyPair hold count=1")
            let error = try await refusal { _ = try await client.create("third") }
            #expect(error.reason == .deadlineExceeded)
            #expect(await clients.haveSigned(3))
            #expect(clients.takeTallies().values.allSatisfy { $0.failures.isEmpty })
            try await client.create("third")
            try token.clear()
            #expect(await eventually { try await !client.healthText().contains("have not returned") })
        }
    }

    @Test("on a write-protected token changes are refused and named, and signing goes on")
    func writeProtected() async throws {
        try await underLoad { _, client, token, clients in
            try token.set("* write-protected")
            let error = try await refusal { _ = try await client.create("third") }
            #expect(error.reason == .hsmUnavailable && error.message.contains("CKR_TOKEN_WRITE_PROTECTED"), "\(error)")
            #expect(await clients.haveSigned(3))
            #expect(clients.takeTallies().values.allSatisfy { $0.failures.isEmpty })
            try token.clear()
            try await client.create("third")
        }
    }

    @Test(
        "a generation that fails leaves nothing that is not accounted for",
        arguments: ["return=CKR_GENERAL_ERROR", "return=CKR_DEVICE_REMOVED", "return-after=CKR_DEVICE_ERROR"])
    func failedGeneration(what: String) async throws {
        try await underLoad { agent, client, token, clients in
            // For want of room the module is initialised anew, and the token is asked for the key twice more.
            try token.set("C_GenerateKeyPair \(what) count=\(what.contains("GENERAL") ? 4 : 2)")
            let error = try await refusal { _ = try await client.create("third") }
            #expect(error.reason == .hsmUnavailable)
            try token.clear()
            try await client.create("third")
            await agent.settle()
            #expect(await clients.haveSigned(3))
            #expect(clients.takeTallies().values.allSatisfy { $0.failures.isEmpty })
            let keys = try await client.keys()
            let shown = Set(
                keys.filter { ["active", "standby", "retiring"].contains($0.state) }.compactMap { $0.custody?.keyID })
            #expect(
                await eventually {
                    await agent.settle()
                    let contents = try await agent.store.contents()
                    return contents.destructions.isEmpty && contents.intents.allSatisfy(\.isTombstone)
                })
            try token.onToken { session in
                let ids = try session.findObjects([.class(.privateKey)]).map { object in
                    try (session.bytes(.id, of: object) ?? []).map { String(format: "%02x", $0) }.joined()
                }
                #expect(Set(ids) == shown)
            }
        }
    }

    /// Runs an agent with two issuers on a faulty token, and eight clients that sign for both.
    ///
    /// - Parameter endedByTime: whether a deadline has to pass. Where none has to, they are so long that a busy machine does
    ///   not pass them either.
    private func underLoad(
        pin identity: @escaping @Sendable () -> String = { "pin" }, endedByTime: Bool = false,
        _ body: (AgentFixture, AgentConnection, FaultyToken, SigningClients) async throws -> Void
    ) async throws {
        await Turnstile.faults.enter()
        defer { Turnstile.faults.leave() }
        try await FaultyToken.with { token in
            try await AgentFixture.stopped(on: token) { agent in
                agent.configuration.withLock { configuration in
                    configuration.hsm.sessions = 3
                    configuration.hsm.deadlineSeconds = endedByTime ? 6 : 60
                    configuration.hsm.callLimitSeconds = endedByTime ? 8 : 80
                    configuration.hsm.changeLimitSeconds = endedByTime ? 15 : 150
                    configuration.hsm.initialisationIntervalSeconds = 0.5
                    configuration.pin = PINSource(identity: identity) { token.softHSM.pin() }
                }
                try await agent.start()
                try await agent.connected { client in
                    try await client.create("ec", algorithm: "ES256")
                    try await client.create("rsa", algorithm: "RS256")
                    await agent.settle()
                    try await SigningClients.run(8, agent, issuers: ["ec", "rsa"]) { clients in
                        #expect(await clients.haveSigned(1))
                        #expect(clients.takeTallies().values.allSatisfy { $0.failures.isEmpty })
                        try await body(agent, client, token, clients)
                    }
                }
            }
        }
    }
}

extension AgentConnection {
    /// Every problem that health shows.
    fileprivate func healthText() async throws -> String {
        try await health().problems.map(\.message).joined(separator: "\n")
    }
}

extension FaultyToken {
    /// Uses the token beside the agent.
    fileprivate func onToken(_ body: (borrowing Session) throws -> Void) throws {
        try body(session())
    }
}

/// Lets few in at a time: every agent under load wants the whole machine.
private final class Turnstile: Sendable {
    static let faults = Turnstile(places: 3)

    private struct State {
        var places: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Locked<State>

    init(places: Int) {
        state = Locked(State(places: places))
    }

    func enter() async {
        await withCheckedContinuation { continuation in
            let isIn = state.withLock { state in
                guard state.places == 0 else {
                    state.places -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isIn { continuation.resume() }
        }
    }

    func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.places += 1
            return nil
        }
        next?.resume()
    }
}
