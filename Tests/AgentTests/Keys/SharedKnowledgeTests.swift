import IssuerStore
import KeyLifecycle
import Testing

@testable import Agent

@Suite("What an agent knows of a store that others change")
struct SharedKnowledgeTests {
    private let demo = IssuerName("demo")!
    private let other = IssuerName("other")!

    @Test("what is left to do is left to who made the change for a while, and taken up again if nothing comes of it")
    func neglected() {
        var neglected = NeglectedWork()
        func look(_ names: Set<IssuerName>, at now: Int64) -> [IssuerName] {
            neglected.look(names, lateness: { $0 == other ? 5 : 0 }, at: now)
        }
        #expect(look([demo, other], at: 100) == [])
        #expect(look([demo, other], at: 114) == [])
        #expect(look([demo, other], at: 115) == [demo])
        #expect(look([demo, other], at: 120) == [other])
        #expect(look([demo], at: 129) == [])
        #expect(look([demo, other], at: 130) == [demo])
        // It was done meanwhile, and is another piece of work now.
        #expect(look([other], at: 144) == [])
        #expect(look([other], at: 150) == [other])
    }

    @Test("another agent's rotation is told from one's own, also when a view shows one's own first")
    func rotations() throws {
        var shared = SharedKnowledge()
        let key = GeneratedKey(
            keyID: KeyID([UInt8](repeating: 1, count: KeyID.length))!, kid: "k", specification: IssuerSettings().keySpecification,
            publicKey: [1])
        let created = try Issuer.creating(
            demo, settings: IssuerSettings(), url: nil, firstKey: key, at: Timestamp(seconds: 1))
        shared.noteRotatedElsewhere(demo, at: 1)
        #expect(shared.isRotatedElsewhere(demo, since: 0) && !shared.isRotatedElsewhere(demo, since: 1))
        #expect(!shared.isRotatedElsewhere(other, since: 0))
        shared.begin(created)
        shared.end(created, StorePosition(revision: 5, knownAt: 7))
        #expect(!shared.isRotatedElsewhere(demo, since: 0))
        #expect(shared.position(of: demo) == StorePosition(revision: 5, knownAt: 7))
        // Never an earlier one.
        shared.note(StorePosition(revision: 4, knownAt: 9), of: demo)
        #expect(shared.position(of: demo)?.revision == 5)
    }

    @Test("a token may show late what another agent has made, and not for ever")
    func unproven() {
        var shared = SharedKnowledge()
        #expect(shared.noteUnproven(demo, at: 100) && shared.noteUnproven(demo, at: 109))
        #expect(!shared.noteUnproven(demo, at: 110) && shared.isAnyUnproven)
        shared.noteProven(demo)
        #expect(!shared.isAnyUnproven && shared.noteUnproven(demo, at: 200))
    }

    @Test("a rotation is fulfilled by another agent's, a second one by what revokes as well, a revocation by the key's end")
    func fulfilled() throws {
        func key(_ number: UInt8) -> GeneratedKey {
            GeneratedKey(
                keyID: KeyID([UInt8](repeating: number, count: KeyID.length))!, kid: "k\(number)",
                specification: IssuerSettings().keySpecification, publicKey: [number])
        }
        let at = Timestamp(seconds: 1_000)
        let first = try #require(
            Issuer.creating(demo, settings: IssuerSettings(), url: nil, firstKey: key(1), at: at).issuer)
        let ready = try #require(first.publishingStandby(key(2), at: at).issuer)
        let rotated = try #require(ready.executing(ready.planningRotation(at: at)).issuer)
        let order = RotationOrder.rotate()
        #expect(order.isFulfilled(by: rotated, since: ready))
        #expect(!order.isFulfilled(by: rotated, since: rotated) && !order.isFulfilled(by: ready, since: first))
        #expect(!RotationOrder.rotate(ifGeneration: 2).isFulfilled(by: rotated, since: ready))
        #expect(!RotationOrder.rotate(whenSafe: true).isFulfilled(by: rotated, since: ready))
        // A second rotation was asked for, in the overlap: the retiring key has to go.
        let plan = try rotated.planningRotation(at: at)
        let published = try #require(rotated.publishingFresh(key(3), for: plan, at: at).issuer)
        #expect(!order.isFulfilled(by: published, since: rotated))
        let second = try #require(
            published.executing(published.continuing(plan, withPublished: "k3", at: at)).issuer)
        #expect(order.isFulfilled(by: second, since: rotated))
        #expect(RotationOrder.revoke(kid: "k1").isFulfilled(by: second, since: rotated))
        #expect(!RotationOrder.revoke(kid: "k2").isFulfilled(by: second, since: rotated))
    }
}
