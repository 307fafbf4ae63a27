import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import IssuerStore
import IssuerStoreSupport
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@testable import Agent

@Suite("Signatures of several agents")
struct FleetSigningTests {
    @Test("what comes to a key that another agent has had destroyed is signed with the next one, and the token is not blamed")
    func destroyedElsewhere() async throws {
        try await FleetFixture.with(["a", "b"], faulty: ["b"], { $0.fleetLimits.readiness = .zero }) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let agent = fleet[1]
            let former = try await agent.sign().kid
            let keyID = try #require(try await fleet.issuer().ring[former]?.keyID.description)
            // It hears of nothing.
            agent.handle.set(.holdingRequests)
            async let revoking = fleet[0].connected { try await $0.revoke(former) }
            try #require(await eventually { try !fleet.privateKeysOnToken().contains(keyID) })
            let initialisations = try agent.faultyToken.count("C_Initialize")
            // A module may go on with what it has found before.
            try agent.faultyToken.set("C_SignInit invalidate-objects count=1")
            let signing = (0..<4).map { _ in Task { try await agent.sign() } }
            try #require(await eventually { agent.server.hsm.status.reading.unavailableKeys[former] != nil })
            try await agent.connected { client in
                for _ in 0..<200 { _ = try await client.call(VersionParameters()) }
            }
            #expect(agent.server.hsm.status.trouble == nil)
            agent.handle.set(.open)
            let revoked = try await revoking
            for signature in signing { #expect(try await signature.value.kid == revoked.activeKid) }
            #expect(revoked.settlement?.settled == true && revoked.settlement?.keysDestroyed == true)
            #expect(try agent.faultyToken.count("C_Initialize") == initialisations)
            #expect(agent.server.hsm.status.reading.unavailableKeys.isEmpty)
        }
    }

    @Test("a key that is gone from the token and not by the store is reported, and the token is asked what it shows")
    func goneFromToken() async throws {
        try await FleetFixture.with(["a", "b"], faulty: ["b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let agent = fleet[1]
            let kid = try await agent.sign().kid
            try fleet.destroyKeysOnToken()
            try agent.faultyToken.set("C_SignInit invalidate-objects count=1")
            let error = try await refusal { _ = try await agent.sign() }
            #expect(error.reason == .hsmUnavailable && error.message.contains(kid), "\(error)")
            #expect(
                await eventually {
                    let health = try await agent.connected { try await $0.health() }
                    return health.status == "unavailable"
                        && health.problems.contains { $0.message.contains("shows none of the keys in the store") }
                })
        }
    }

    /// Where a signature is while the fence shuts.
    enum Place: CaseIterable, Sendable {
        case token, auditLog
    }

    @Test(
        "a signature that was begun before the fence shut and is not handed over by then never is",
        arguments: Place.allCases)
    func shutBeforeHandOver(place: Place) async throws {
        try await FleetFixture.with(
            ["a", "b"], faulty: ["b"], { ($0.hsm.callLimitSeconds, $0.hsm.deadlineSeconds) = (3_600, 3_600) }
        ) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let agent = fleet[1]
            // None of its own trials is under way.
            try #require(await eventually { agent.server.fleet?.progress.report(0).unusable.isEmpty == true })
            let writes = agent.auditFaults.switches.withLock { switches in
                switches.isWriteHanging = place == .auditLog
                return switches.writes
            }
            if place == .token { try agent.faultyToken.set("C_Sign hold") }
            let signing = Task { try await agent.sign() }
            switch place {
            case .token: try #require(try await agent.faultyToken.waitFor("C_Sign:held"))
            case .auditLog: try #require(await eventually { agent.auditFaults.switches.withLock { $0.writes } > writes })
            }
            agent.handle.set(.refusing)
            agent.clock.pass(61)
            try agent.faultyToken.clear()
            agent.auditFaults.set { $0.isWriteHanging = false }
            #expect(try await refusal { _ = try await signing.value }.reason == .storeUnavailable)
            await agent.stop()
            let outcomes = try agent.lines().filter { $0.contains(#""method":"sign""#) }.map { line in
                try JSONValue(parsing: Array(line.utf8))["outcome"]?.string
            }
            // What the log had before is not taken back.
            #expect(outcomes == (place == .token ? ["failed"] : ["allowed", "failed"]))
        }
    }
}

extension FleetFixture {
    /// Takes every key from the token, past every agent.
    fileprivate func destroyKeysOnToken() throws {
        let session = try token.session()
        for kind in [ObjectClass.privateKey, .publicKey] {
            for object in try session.findObjects([.class(kind)]) { try session.destroyObject(object) }
        }
    }
}
