import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import PKCS11
import SoftHSMSupport
import Testing

/// A campaign that finds nothing must be one that would have.
@Suite("The inspection after a kill")
struct InspectionTests {
    /// What is done to an installation behind the agent's back, and what must be said of it.
    enum Damage: String, CaseIterable, CustomTestStringConvertible {
        case lostPrivateKey, foreignPrivateKey, namelessPrivateKey, noActiveKey
        case forgottenKey, lostChange, lostIssuer, badJWT, resurrectedIssuer

        var testDescription: String { rawValue }

        var finding: String {
            switch self {
            case .lostPrivateKey: "are not on the token"
            case .foreignPrivateKey: "nobody accounts for"
            case .namelessPrivateKey: "have a key in them"
            case .noActiveKey: "has 0 active keys"
            case .forgottenKey: "has forgotten the key"
            case .lostChange: "has lost an acknowledged change"
            case .lostIssuer: "is gone"
            case .badJWT: "does not verify"
            case .resurrectedIssuer: "is back after its deletion"
            }
        }
    }

    @Test("says what is wrong", arguments: Damage.allCases)
    func finds(damage: Damage) async throws {
        try await Installation.withFaultyToken { site, token in
            let (ledger, findings) = (Ledger(), Findings())
            let inspection = Inspection(site: site, ledger: ledger, findings: findings)
            let agent = try await site.startAgent()
            let client = try await site.connect()
            try await ChangeRequests(client: client, ledger: ledger).create("demo", "ES256")
            ledger.handedOut(try await client.call(SignParameters(issuer: "demo", claims: ["aud": "api"])), by: "demo")
            await client.close()
            try await inspection.afterRestart()
            await agent.end(SIGKILL)
            try await inspection.afterKill()
            #expect(findings.found == [])
            #expect(findings.checks >= 20)

            try await inflict(damage, site, token, ledger)
            try await inspection.afterKill()
            if findings.found.isEmpty {
                try await site.startAgent()
                try await inspection.afterRestart()
            }
            #expect(findings.found.contains { $0.contains(damage.finding) }, "\(findings.found)")
        }
    }

    private func inflict(_ damage: Damage, _ site: Installation, _ token: FaultyToken, _ ledger: Ledger) async throws {
        let store = StoreFiles(directory: site.directory)
        switch damage {
        case .lostPrivateKey, .foreignPrivateKey, .namelessPrivateKey:
            let module = try token.softHSM.module()
            defer { try? module.finalize() }
            let session = try token.softHSM.session()
            switch damage {
            case .lostPrivateKey: try session.destroyObject(TokenAndStore.signingKeys(.privateKey, session)[0])
            case .foreignPrivateKey: _ = try session.generateKeyPair(.ec(.p256), id: [1], label: "foreign")
            default: _ = try session.generateKeyPair(.ec(.p256), id: [], label: "nameless")
            }
        case .noActiveKey: try await store.write("UPDATE signing_key SET state = 'revoked' WHERE state = 'active'")
        case .forgottenKey: ledger.update("demo") { $0.keys["another"] = "revoked" }
        case .lostChange: ledger.update("demo") { $0.activeKid = "another" }
        case .lostIssuer: ledger.update("other") { $0.exists = true }
        case .badJWT: ledger.update("demo") { record in record.jwts[record.activeKid]?[0].append("AAAA") }
        case .resurrectedIssuer: ledger.update("demo") { $0.isDeleted = true }
        }
    }
}
