import AgentClient
import AgentProtocol
import Foundation
import RelyingParty

/// Holds what there is after a kill against what was said before it.
struct Inspection {
    let site: Installation
    let ledger: Ledger
    let findings: Findings

    /// Looks at token and store while no agent runs.
    func afterKill() async throws {
        let state = try await TokenAndStore.read(site, isRunning: false)
        findings.expect(state.unaccounted.isEmpty, "private keys that nobody accounts for after the kill: \(state.unaccounted)")
        findings.expect(state.lost.isEmpty, "published keys that are not on the token after the kill: \(state.lost)")
        findings.expect(state.namelessKeys == 0, "\(state.namelessKeys) private keys without CKA_ID have a key in them")
        for (name, count) in state.activeKeys {
            findings.expect(count == 1, "\(name) has \(count) active keys in the store after the kill")
        }
    }

    /// Looks at everything once the agent has finished what was cut off.
    func afterRestart() async throws {
        var state = TokenAndStore()
        var health: Health?
        let client = try await site.connect()
        let isSettled = await poll("a settled agent") {
            health = try await client.call(HealthParameters())
            guard try await StoreFiles(directory: site.directory).isSettled(), health?.status == "ok" else { return false }
            // Not while the agent makes a key: SoftHSM 2.6.1 loses attributes of an object that another process reads
            // while it is being written.
            state = try await TokenAndStore.read(site, isRunning: true)
            return state.isSettled
        }
        findings.expect(
            isSettled,
            """
            it does not settle: health \(health?.status ?? "none") \(health?.problems.map(\.message) ?? []), \
            live \(state.live.count), private \(state.privateKeys.count), public \(state.publicKeys.count), \
            private keys without a ring \(state.privateKeys.subtracting(state.live)), \
            public \(state.publicKeys.symmetricDifference(state.live)), lost \(state.lost), intents \(state.intents), \
            destructions \(state.destructions)
            """)
        var listed: Set<String> = []
        for issuer in try await allIssuers(client) {
            listed.insert(issuer.name)
            try await inspect(issuer, client)
        }
        for (name, record) in ledger.all() where !listed.contains(name) {
            let mayBeGone = record.isDeleted || record.isDeletionInDoubt || !record.exists
            findings.expect(mayBeGone, "the issuer \(name) is gone")
            ledger.forget(name)
        }
        findings.expect(
            Set(state.activeKeys.keys) == listed, "the store has \(state.activeKeys.keys.sorted()), listed are \(listed.sorted())"
        )
        await client.close()
    }

    private func allIssuers(_ client: AgentConnection) async throws -> [IssuerStatus] {
        var issuers: [IssuerStatus] = []
        var cursor: String?
        repeat {
            let page = try await client.call(IssuerListParameters(limit: 100, cursor: cursor))
            issuers += page.issuers
            cursor = page.nextCursor
        } while cursor != nil
        return issuers
    }

    private func inspect(_ status: IssuerStatus, _ client: AgentConnection) async throws {
        let name = status.name
        let keys = try await client.call(ListKeysParameters(issuer: name, limit: 500)).keys
        let states = Dictionary(uniqueKeysWithValues: keys.map { ($0.kid, $0.state) })
        let record = ledger.all()[name] ?? Ledger.Record()
        func count(_ state: String) -> Int { states.values.count { $0 == state } }
        findings.expect(!record.isDeleted, "\(name) is back after its deletion was acknowledged")
        findings.expect(record.exists || record.isInDoubt, "\(name) is there, and its creation cannot have been committed")
        findings.expect(
            count("active") == 1 && count("retiring") <= 1 && count("standby") == 1, "\(name) has a ring of \(states)")
        for key in keys where ["standby", "active", "retiring"].contains(key.state) {
            findings.expect(
                key.custody?.sensitive == true && key.custody?.neverExtractable == true, "\(name) \(key.kid) is held badly")
        }
        inspectAcknowledged(status, states, record)

        let documents = try await client.call(GetDiscoveryParameters(issuer: name))
        let published = try Self.kids(documents.jwks.body)
        let live = Set(states.filter { ["standby", "active", "retiring"].contains($0.value) }.keys)
        findings.expect(published == live, "\(name) publishes \(published), live are \(live)")
        let verifier = try await JWTVerifier(keySet: Array(documents.jwks.body.utf8))
        let fresh = try await client.call(SignParameters(issuer: name, claims: ["aud": "api"]))
        let now = Date().timeIntervalSince1970
        findings.expect(
            states[fresh.kid] == "active", "\(name) signs with \(fresh.kid), which is \(states[fresh.kid] ?? "unknown")")
        var jwts = record.jwts.filter { ["active", "retiring"].contains(states[$0.key]) }.flatMap(\.value)
        jwts.append(fresh.jwt)
        for jwt in jwts {
            var reason = ""
            do { _ = try verifier.verify(jwt, now: now) } catch { reason = "\(error)" }
            findings.expect(reason.isEmpty, "a JWT of \(name) does not verify: \(reason)")
        }
        ledger.said(status)
        ledger.update(name) { record in
            record.isDeletionInDoubt = false
            record.keys = states
            record.jwts = record.jwts.filter { ["active", "retiring"].contains(states[$0.key]) }
        }
        ledger.handedOut(fresh, by: name)
    }

    /// What was acknowledged is so, and what was not has happened or has not.
    private func inspectAcknowledged(_ status: IssuerStatus, _ states: [String: String], _ record: Ledger.Record) {
        let name = status.name
        findings.expect(status.generation >= record.generation, "\(name) has gone back to generation \(status.generation)")
        for (kid, before) in record.keys {
            guard let state = states[kid] else {
                findings.expect(false, "\(name) has forgotten the key \(kid), which was \(before)")
                continue
            }
            let isForward = Self.order(state) >= Self.order(before) && (Self.order(before) < 3 || state == before)
            findings.expect(isForward, "\(name) \(kid) was \(before) and is \(state)")
        }
        for kid in record.revoked {
            findings.expect(states[kid] == "revoked", "\(name) \(kid) was revoked and is \(states[kid] ?? "gone")")
        }
        for kid in record.jwts.keys {
            findings.expect(states[kid] != "standby", "\(name) \(kid) has signed and is a standby key")
        }
        guard record.exists, !record.isInDoubt else { return }
        findings.expect(status.activeKid == record.activeKid, "\(name) has lost an acknowledged change of its active key")
        findings.expect(
            status.oidcIssuerProfile.enabled == record.isEnabled && status.oidcIssuerProfile.issuerUrl == record.issuerURL,
            "\(name) has lost an acknowledged change of its profile")
    }

    /// A key only goes on from one state to a later one.
    private static func order(_ state: String) -> Int {
        ["standby", "active", "retiring"].firstIndex(of: state) ?? 3
    }

    private static func kids(_ jwks: String) throws -> Set<String> {
        struct KeySet: Decodable {
            struct Key: Decodable { let kid: String }
            let keys: [Key]
        }
        return Set(try JSONDecoder().decode(KeySet.self, from: Data(jwks.utf8)).keys.map(\.kid))
    }
}
