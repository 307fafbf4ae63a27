import IssuerStore
import IssuerStoreSupport
import KeyLifecycle
import Testing

@Suite("The store in memory, as a double")
struct DoubleTests {
    @Test("while it is away every call throws, and afterwards it has what it had")
    func outage() async throws {
        let store = InMemoryIssuerStore(deployment: .fixture)
        let issuer = try await store.create()
        let before = try await store.snapshot()
        let away = StoreError(.unavailable, "the store is away", hint: "wait")
        await store.setOutage(away)
        await #expect(throws: away) { _ = try await store.contents() }
        await #expect(throws: away) { try await store.commit(issuer.deleting(at: .at(1)), fulfilling: []) }
        await #expect(throws: away) { try await store.record(.number(2)) }
        await #expect(throws: away) { _ = try await store.refusedPIN() }
        await store.setOutage(nil)
        #expect(try await store.snapshot() == before)
    }
}
