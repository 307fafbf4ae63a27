import FleetHistory
import Foundation
import TestSupport
import Testing

/// Small histories, each with what must be found in it and in nothing else.
@Suite("The checker of a fleet's history")
struct CheckerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let kinds: Set<Violation.Kind>
        let tell: @Sendable (Story) -> Void

        init(_ name: String, _ kinds: Set<Violation.Kind> = [], _ tell: @escaping @Sendable (Story) -> Void) {
            (testDescription, self.kinds, self.tell) = (name, kinds, tell)
        }
    }

    private static let settled = Settlement(settled: true)
    private static let unsettled = Settlement(
        settled: false, agents: [.init("c", "acknowledged"), .init("b", "pending")])

    static let rings: [Case] = [
        Case("a rotation, seen by two agents at their own pace") { story in
            story.ring(1, active: "k1", ["k1": "active", "k2": "standby"], at: 0)
            story.sign("k1", asked: 1)
            story.rotate("k2", 2, asked: 2, got: 3)
            story.ring(1, active: "k1", ["k1": "active", "k2": "standby"], by: "b", at: 2.5)
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active"], by: "b", at: 4)
            story.sign("k2", by: "b", asked: 5)
        },
        Case("two standby keys at one generation, each in the ring of an agent", [.ringsDiffer]) { story in
            story.ring(2, active: "k2", ["k2": "active", "k3": "standby"], at: 1)
            story.ring(2, active: "k2", ["k2": "active", "k4": "standby"], by: "b", at: 1)
        },
        Case("a ring of which an agent shows an ended key that another leaves out") { story in
            story.ring(2, active: "k2", ["k2": "active", "k1": "retired"], at: 1)
            story.ring(2, active: "k2", ["k2": "active"], by: "b", at: 1)
        },
        Case("two active keys at one generation, as two agents show it", [.twoActiveKeys, .ringsDiffer]) { story in
            story.ring(2, active: "k2", ["k2": "active"], at: 1)
            story.ring(2, active: "k3", ["k3": "active"], by: "b", at: 1)
        },
        Case("two active keys at one generation, as a reply and a ring have it", [.twoActiveKeys]) { story in
            story.rotate("k2", 2, asked: 1, got: 2)
            story.ring(2, active: "k3", ["k3": "active"], by: "b", at: 1)
        },
        Case("a ring with two active keys", [.badRing]) { story in
            story.ring(2, active: "k2", ["k2": "active", "k1": "active"], at: 1)
        },
        Case("a ring whose active key is another than the issuer says", [.badRing]) { story in
            story.ring(2, active: "k2", ["k2": "retiring", "k1": "active"], at: 1)
        },
        Case("a ring with two standby keys", [.badRing]) { story in
            story.ring(2, active: "k1", ["k1": "active", "k2": "standby", "k3": "standby"], at: 1)
        },
        Case("a key that is active again", [.keyCameBack]) { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 1)
            story.ring(2, active: "k2", ["k2": "active"], at: 2)
            story.ring(3, active: "k1", ["k1": "active"], at: 3)
        },
        Case("the same condition, met twice", [.twoWinners]) { story in
            story.rotate("k2", 2, asked: 1, got: 2, if: 1)
            story.rotate("k3", 3, by: "b", asked: 1, got: 2, if: 1)
        },
        Case("the same condition, met once and told to both") { story in
            story.rotate("k2", 2, asked: 1, got: 2, if: 1)
            story.rotate("k2", 2, by: "b", asked: 1, got: 2, if: 1)
        },
        Case("a standby key that has signed", [.signedAhead]) { story in
            story.sign("k2", asked: 1)
            story.ring(1, active: "k1", ["k1": "active", "k2": "standby"], at: 2)
        },
        Case("a standby key in the view of an agent that is behind the one that signed") { story in
            story.sign("k2", by: "b", asked: 1)
            story.ring(1, active: "k1", ["k1": "active", "k2": "standby"], at: 2)
        },
    ]

    static let signers: [Case] = [
        Case("an agent that signs with a key it had itself shown as replaced", [.agentWentBack]) { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active"], at: 1)
            story.sign("k1", asked: 2)
        },
        Case("an agent that was asked before it showed the new ring, and answered after") { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.sign("k1", asked: 0.9, got: 1.5)
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active"], at: 1)
        },
        Case("an agent that is behind another, before the rotation is replied to") { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active"], by: "b", at: 1)
            story.sign("k1", asked: 2)
            story.rotate("k2", 2, by: "b", asked: 0.5, got: 3, settlement: settled)
        },
        Case("another agent's old key after a settled rotation", [.oldKeyAfterRotation]) { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.rotate("k2", 2, by: "b", asked: 1, got: 2, settlement: settled)
            story.sign("k1", asked: 2.1)
        },
        Case("the old key, long after the reply, to a request that was sent before it", [.oldKeyAfterRotation]) { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.rotate("k2", 2, by: "b", asked: 1, got: 2, settlement: settled)
            story.sign("k1", asked: 1.9, got: 3.5)
        },
        Case("the old key, read a moment after the reply, to a request that was sent before it") { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.rotate("k2", 2, by: "b", asked: 1, got: 2, settlement: settled)
            story.sign("k1", asked: 1.9, got: 2.2)
        },
        Case("the same, read later, while answers were kept waiting") { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.rotate("k2", 2, by: "b", asked: 1, got: 2, settlement: settled)
            story.lag(from: 2.2, to: 2.7)
            story.sign("k1", asked: 1.9, got: 2.8)
        },
        Case("the same, read later, when nothing was kept waiting any more", [.oldKeyAfterRotation]) { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.rotate("k2", 2, by: "b", asked: 1, got: 2, settlement: settled)
            story.lag(from: 1, to: 1.9)
            story.sign("k1", asked: 1.9, got: 2.8)
        },
        Case("an agent that the rotation did not wait for") { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.rotate("k2", 2, asked: 1, got: 2, settlement: unsettled)
            story.sign("k1", by: "b", asked: 3)
        },
        Case("an agent that the rotation says has acknowledged, though another has not", [.oldKeyAfterRotation]) {
            story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.rotate("k2", 2, asked: 1, got: 2, settlement: unsettled)
            story.sign("k1", by: "c", asked: 3)
        },
    ]

    static let documents: [Case] = [
        Case("a key that is served until the last JWT by it has ended") { story in
            story.sign("k1", asked: 1, until: 600)
            story.fetch(["k1"], at: 2)
            story.fetch(["k1", "k2"], at: 599)
            story.fetch(["k2"], at: 600)
        },
        Case("a key that is gone before", [.keyGone]) { story in
            story.sign("k1", asked: 1, until: 600)
            story.fetch(["k1"], at: 2)
            story.fetch(["k2"], at: 500)
        },
        Case("a key that is gone before, at one of two frontends", [.keyGone]) { story in
            story.sign("k1", asked: 1, until: 600)
            for frontend in ["f", "g"] { story.fetch(["k1"], from: frontend, at: 2) }
            story.fetch(["k1"], from: "f", at: 500)
            story.fetch(["k2"], from: "g", at: 500)
        },
        Case("a key that is gone before, at a frontend that is stale") { story in
            story.sign("k1", asked: 1, until: 600)
            story.fetch(["k1"], at: 2)
            story.fetch(["k2"], at: 500, fresh: false)
        },
        Case("a key that is gone before, in a fetch that took so long that nobody can tell") { story in
            story.sign("k1", asked: 1, until: 600)
            story.fetch(["k1"], at: 2)
            story.fetch(["k2"], at: 500, took: 30)
        },
        Case("the shorter of two JWTs has ended, the longer not", [.keyGone]) { story in
            story.sign("k1", asked: 1, until: 900)
            story.sign("k1", asked: 2, until: 600)
            story.fetch(["k1"], at: 3)
            story.fetch(["k2"], at: 700)
        },
        Case("the longer JWT was handed out after the fetch") { story in
            story.sign("k1", asked: 1, until: 600)
            story.fetch(["k1"], at: 2)
            story.fetch(["k2"], at: 700)
            story.sign("k1", asked: 701, until: 900)
        },
        Case("a key that is gone because it was revoked") { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1"], at: 2)
            story.rotate("k2", 2, asked: 3, got: 5, revoked: ["k1"])
            story.fetch(["k2"], at: 4)
            story.ring(2, active: "k2", ["k1": "revoked", "k2": "active"], at: 6)
        },
        Case("a key that is gone before anybody asked for its revocation", [.keyGone]) { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1"], at: 2)
            story.fetch(["k2"], at: 2.5)
            story.rotate("k2", 2, asked: 3, got: 5, revoked: ["k1"])
        },
        Case("a key that is gone after a rotation that was never answered and may have revoked it") { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1"], at: 2)
            story.change(.rotate, asked: 3, got: 4, .unknown("connection-lost"))
            story.fetch(["k2"], at: 60)
        },
        Case("the same, and an agent shows afterwards that it did not", [.keyGone]) { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1"], at: 2)
            story.change(.rotate, asked: 3, got: 4, .unknown("connection-lost"))
            story.fetch(["k2"], at: 60)
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active"], at: 61)
        },
        Case("the same, and an agent shows afterwards that it did") { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1"], at: 2)
            story.change(.rotate, asked: 3, got: 4, .unknown("connection-lost"))
            story.fetch(["k2"], at: 60)
            story.ring(2, active: "k2", ["k1": "revoked", "k2": "active"], at: 61)
        },
        Case("a key that is gone after a gentle rotation that was never answered", [.keyGone]) { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1"], at: 2)
            story.change(.rotate, asked: 3, got: 4, gentle: true, .unknown("connection-lost"))
            story.fetch(["k2"], at: 60)
        },
        Case("a key that is gone after the revocation of the standby key that was never answered, which is a rotation") { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1", "k2"], at: 2)
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active", "k3": "standby"], at: 2.5)
            story.change(.revoke, kid: "k3", asked: 3, got: 4, .unknown("connection-lost"))
            story.fetch(["k2", "k4"], at: 60)
        },
        Case("the same of the active key, which leaves others alone", [.keyGone]) { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1", "k2"], at: 2)
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active", "k3": "standby"], at: 2.5)
            story.change(.revoke, kid: "k2", asked: 3, got: 4, .unknown("connection-lost"))
            story.fetch(["k4"], at: 60)
        },
        Case("a key that is gone after a refused revocation", [.keyGone]) { story in
            story.sign("k1", asked: 1)
            story.fetch(["k1"], at: 2)
            story.change(.revoke, kid: "k1", asked: 3, got: 4, .refused("STORE_UNAVAILABLE"))
            story.fetch(["k2"], at: 60)
        },
        Case("a key that signs before a frontend has it", [.notServedYet]) { story in
            story.fetch(["k1"], at: 0)
            story.rotate("k2", 2, asked: 1, got: 2)
            story.sign("k2", asked: 3)
            story.fetch(["k1"], at: 4)
        },
        Case("a fresh key whose reply says that not every frontend has it") { story in
            story.fetch(["k1"], at: 0)
            story.rotate("k2", 2, asked: 1, got: 2, publication: "timed-out", exposure: 30)
            story.sign("k2", asked: 3)
            story.fetch(["k1"], at: 4)
        },
        Case("the same, after the frontend should have turned unready", [.notServedYet]) { story in
            story.fetch(["k1"], at: 0)
            story.rotate("k2", 2, asked: 1, got: 2, publication: "timed-out", exposure: 30)
            story.sign("k2", asked: 3)
            story.fetch(["k1"], at: 130)
        },
        Case("a frontend that goes back", [.frontendWentBack]) { story in
            story.fetch(["k1", "k2"], at: 1)
            story.fetch(["k2", "k3"], at: 2)
            story.fetch(["k1", "k2"], at: 3)
        },
        Case("a JWT whose signature is another key's", [.badSignature]) { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.sign("k1", asked: 1, jwt: "by k2")
        },
        Case("a JWT that lives longer than its key, as a ring has it", [.outlivesKey]) { story in
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active"], by: "b", at: 0, until: 599)
            story.sign("k1", asked: 1, until: 600)
        },
        Case("a JWT that lives longer than its key, as a reply has it", [.outlivesKey]) { story in
            story.sign("k1", asked: 1, until: 601)
            story.rotate("k2", 2, asked: 2, got: 3, retiring: ("k1", 600))
        },
        Case("a JWT that ends with its key") { story in
            story.sign("k1", asked: 1, until: 600)
            story.rotate("k2", 2, asked: 2, got: 3, retiring: ("k1", 600))
        },
        Case("a jti that is given twice", [.sameJTI]) { story in
            story.sign("k1", asked: 1, jti: "x")
            story.sign("k1", by: "b", asked: 2, jti: "x")
        },
    ]

    static let revocations: [Case] = [
        Case("a revoked key that signs before the reply") { story in
            story.sign("k1", by: "b", asked: 1.5)
            story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: settled)
        },
        Case("a revoked key that signs after the reply", [.signedAfterRevocation]) { story in
            story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: settled)
            story.sign("k1", by: "b", asked: 2.1)
        },
        Case("after the reply of an agent whose store is its own", [.signedAfterRevocation]) { story in
            story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"])
            story.sign("k1", asked: 2.1)
        },
        Case("an agent that stood still with a signature and hands it out when it goes on", [.signedAfterRevocation]) { story in
            story.deed("stop", "b", from: 1, to: 16)
            story.sign("k1", by: "b", asked: 0.9, got: 16.1)
            story.rotate("k2", 2, asked: 1, got: 14, revoked: ["k1"], settlement: settled)
        },
        Case("an answer that was on its way when the reply came") { story in
            story.sign("k1", by: "b", asked: 1.9, got: 2.2)
            story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: settled)
        },
        Case("an agent that the reply says was not waited for") { story in
            story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: unsettled)
            story.sign("k1", by: "b", asked: 3)
        },
        Case("an agent that the reply says has acknowledged, though another has not", [.signedAfterRevocation]) { story in
            story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: unsettled)
            story.sign("k1", by: "c", asked: 3)
        },
        Case("the agent itself, whose reply says that another has not acknowledged", [.signedAfterRevocation]) { story in
            story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: unsettled)
            story.sign("k1", asked: 3)
        },
        Case("an agent that a reply does not name which has not settled") { story in
            story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: unsettled)
            story.sign("k1", by: "d", asked: 3)
        },
        Case("a deleted issuer's key", [.signedAfterRevocation]) { story in
            story.change(.delete, asked: 1, got: 2, .done(ChangeReply(revoked: ["k1", "k2"], settlement: settled)))
            story.sign("k2", by: "b", asked: 3)
        },
        Case("a key that is revoked without anybody's asking", [.revokedUnasked]) { story in
            story.ring(1, active: "k1", ["k1": "active"], at: 0)
            story.rotate("k2", 2, asked: 1, got: 2)
            story.ring(3, active: "k3", ["k1": "revoked", "k2": "retiring", "k3": "active"], at: 3)
        },
        Case("a standby key that was discarded by a rotation that does not name it") { story in
            story.rotate("k2", 2, asked: 1, got: 2)
            story.ring(3, active: "k2", ["k9": "revoked", "k2": "active"], at: 3)
        },
        Case("a standby key that was discarded after that rotation", [.revokedUnasked]) { story in
            story.rotate("k2", 2, asked: 1, got: 2)
            story.ring(3, active: "k2", ["k9": "standby", "k2": "active"], at: 3)
            story.ring(4, active: "k2", ["k9": "revoked", "k2": "active"], at: 5)
        },
        Case("a key that is revoked by a change that was never answered") { story in
            story.change(.revoke, kid: "k1", asked: 1, got: 2, .unknown("DEADLINE_EXCEEDED"))
            story.ring(3, active: "k2", ["k1": "revoked", "k2": "active"], at: 3)
        },
    ]

    static let commits: [Case] = [
        Case("a rotation and the end of its overlap") { story in
            story.commit(1, ["k1": "active", "k2": "standby"], at: 1)
            story.sign("k1", asked: 2, until: 600)
            story.commit(2, ["k1": "retiring", "k2": "active"], at: 3, until: 650)
            story.ring(2, active: "k2", ["k1": "retiring", "k2": "active"], at: 4)
            story.commit(3, ["k2": "active"], at: 651)
        },
        Case("a key that is dropped before its last JWT ends, though no frontend was asked", [.droppedEarly]) { story in
            story.commit(2, ["k1": "retiring", "k2": "active"], at: 1)
            story.sign("k1", asked: 2, until: 600)
            story.commit(3, ["k2": "active"], at: 590)
        },
        Case("a key that is dropped because it was revoked") { story in
            story.commit(2, ["k1": "retiring", "k2": "active"], at: 1)
            story.sign("k1", asked: 0.5, until: 600)
            story.change(
                .revoke, kid: "k1", asked: 2, got: 4, .done(ChangeReply(generation: 3, activeKid: "k2", revoked: ["k1"])))
            story.commit(3, ["k2": "active"], at: 3)
        },
        Case("a standby key that a rotation's first try discarded") { story in
            story.commit(1, ["k1": "active", "k9": "standby"], at: 1)
            story.rotate("k2", 3, asked: 2, got: 5)
            story.commit(2, ["k1": "active"], at: 3)
        },
        Case("a standby key that was discarded by a change that was refused in the end") { story in
            story.commit(1, ["k1": "active", "k9": "standby"], at: 1)
            story.change(.rotate, asked: 2, got: 5, .refused("CONFLICT"))
            story.commit(2, ["k1": "active"], at: 3)
        },
        Case("a standby key that is dropped when nobody has anything changed", [.revokedUnasked]) { story in
            story.rotate("k1", 1, asked: 0, got: 0.5)
            story.commit(1, ["k1": "active", "k9": "standby"], at: 1)
            story.commit(2, ["k1": "active"], at: 30)
        },
        Case("a JWT that lives longer than its key, as the store has it", [.outlivesKey]) { story in
            story.sign("k1", asked: 1, until: 601)
            story.commit(2, ["k1": "retiring", "k2": "active"], at: 2, until: 600)
        },
        Case("a generation that is lower than before", [.storeWentBack]) { story in
            story.commit(3, ["k1": "active"], at: 1)
            story.commit(2, ["k1": "active"], at: 2)
        },
        Case("two commits at one generation", [.generationReused]) { story in
            story.commit(2, ["k1": "active"], at: 1)
            story.commit(2, ["k1": "active", "k2": "standby"], at: 2)
        },
        Case("a commit with two active keys", [.badRing, .twoActiveKeys]) { story in
            story.commit(2, ["k1": "active", "k2": "active"], at: 1)
        },
        Case("a ring that shows something else than the store", [.ringsDiffer]) { story in
            story.commit(2, ["k1": "active", "k2": "standby"], at: 1)
            story.ring(2, active: "k1", ["k1": "active"], at: 2)
        },
        Case("a store that was put back and recovered: generations begin anew") { story in
            story.commit(2, ["k1": "active"], at: 0.5)
            story.commit(5, ["k5": "active"], at: 1)
            story.ring(5, active: "k5", ["k5": "active"], at: 1)
            story.sign("k5", asked: 10.5)
            story.commit(2, ["k1": "active"], at: 11)
            story.ring(5, active: "k5", ["k5": "active"], at: 12)
            story.commit(3, ["k9": "active"], at: 29.5)
            story.recovery("k9", revoked: ["k5", "k1"], from: 10, to: 30)
            story.ring(3, active: "k9", ["k9": "active"], at: 31)
            story.sign("k9", asked: 31)
            story.fetch(["k9"], at: 32)
        },
        Case("a signature by what was before, when every agent had to know that the store was put back", [.signedInDoubt]) {
            story in
            story.sign("k5", asked: 12)
            story.recovery("k9", revoked: ["k5"], from: 10, to: 30)
        },
        Case("a signature by a key that a recovery did not bring back", [.signedAfterRevocation]) { story in
            story.recovery("k9", revoked: ["k5"], from: 10, to: 30)
            story.sign("k5", asked: 31)
        },
    ]

    static let keys: [Case] = [
        Case("a token that holds what the store says") { story in
            story.inventory(token: ["01", "02"], live: ["k1": "01", "k2": "02"], at: 1)
            story.fetch(["k1", "k2"], at: 2)
        },
        Case("a published key that is not on the token", [.keyLost]) { story in
            story.inventory(token: ["01"], live: ["k1": "01", "k2": "02"], at: 1)
        },
        Case("a key that no record explains", [.keyLeftOver]) { story in
            story.inventory(token: ["01", "02"], live: ["k1": "01"], at: 1)
        },
        Case("a key whose end never came", [.keyLeftOver]) { story in
            story.inventory(token: ["01", "02"], live: ["k1": "01"], pending: ["02"], at: 1)
        },
        Case("a key whose end is still to come") { story in
            story.inventory(token: ["01", "02"], live: ["k1": "01"], pending: ["02"], settled: false, at: 1)
        },
        Case("a key that is lost while the fleet is at work", [.keyLost]) { story in
            story.inventory(token: ["01"], live: ["k1": "01", "k2": "02"], settled: false, at: 1)
        },
        Case("a key that a store names which was put back") { story in
            story.inventory(token: ["01"], live: ["k1": "01", "k2": "02"], settled: false, at: 15)
            story.recovery("k1", revoked: ["k2"], from: 10, to: 30)
        },
        Case("a key that a token which several processes use has written without its CKA_ID") { story in
            story.inventory(token: ["01"], live: ["k1": "01", "k2": "02"], aside: [], nameless: 1, at: 1)
        },
        Case("two lost keys, one of which may have been written so", [.keyLost]) { story in
            story.inventory(token: ["01"], live: ["k1": "01", "k2": "02", "k3": "03"], aside: [], nameless: 1, at: 1)
        },
        Case("a key in quarantine") { story in
            story.inventory(token: ["01", "02"], live: ["k1": "01"], aside: ["02"], at: 1)
        },
        Case("a key without CKA_ID", [.keyLeftOver]) { story in
            story.inventory(token: ["01"], live: ["k1": "01"], nameless: 1, at: 1)
        },
        Case("a key that somebody wrote into the store", [.foreignKeyPublished]) { story in
            story.foreignKey("x", at: 1)
            story.fetch(["k1", "x"], at: 2)
        },
        Case("the same, which no frontend serves") { story in
            story.foreignKey("x", at: 1)
            story.fetch(["k1"], at: 2)
        },
        Case("a key that is served at the end and not on the token", [.publishedWithoutToken]) { story in
            story.inventory(token: ["01"], live: ["k1": "01"], at: 1)
            story.fetch(["k1", "k2"], at: 2)
        },
    ]

    @Test("of rings", arguments: rings) func ofRings(example: Case) async throws { try await expect(example) }
    @Test("of who signs with what", arguments: signers) func ofSigners(example: Case) async throws { try await expect(example) }
    @Test("of documents", arguments: documents) func ofDocuments(example: Case) async throws { try await expect(example) }
    @Test("of revocations", arguments: revocations) func ofRevocations(example: Case) async throws { try await expect(example) }
    @Test("of the store's commits", arguments: commits) func ofCommits(example: Case) async throws { try await expect(example) }
    @Test("of keys", arguments: keys) func ofKeys(example: Case) async throws { try await expect(example) }

    private func expect(_ example: Case) async throws {
        let story = Story()
        example.tell(story)
        let report = await story.check()
        #expect(Set(report.violations.map(\.kind)) == example.kinds, "\(report.violations) \(report.excused)")
        #expect(!report.looked.isEmpty)
    }

    @Test("each kind of violation is found in one of them")
    func complete() {
        let found = [Self.rings, Self.signers, Self.documents, Self.revocations, Self.commits, Self.keys].joined().flatMap(
            \.kinds)
        #expect(Set(found) == Set(Violation.Kind.allCases))
    }

    @Test("what is excused is counted")
    func excuses() async {
        let story = Story()
        story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: Self.unsettled)
        story.sign("k1", by: "b", asked: 3)
        story.fetch([], at: 4, status: 404)
        let report = await story.check()
        #expect(report.excused["signatures by revoked keys whose reply says that the agent was not waited for"] == 1)
        #expect(report.excused["fetches without a document"] == 1)
    }

    @Test("a violation says what had been done to the agent")
    func afflictions() async throws {
        let story = Story()
        story.deed("stop", "b", from: 1, to: 16)
        story.deed("kill", "a", from: 2, to: 2)
        story.sign("k1", by: "b", asked: 0.9, got: 16.1)
        story.rotate("k2", 2, asked: 1, got: 14, revoked: ["k1"], settlement: Self.settled)
        let text = try #require(await story.check().violations.first).description
        #expect(text.contains("rule 3") && text.contains("stop at 0.1 s") && !text.contains("kill"), "\(text)")
    }

    @Test("a history that is written and read is the same, and is judged alike")
    func file() async throws {
        let story = Story()
        story.ring(1, active: "k1", ["k1": "active"], at: 0)
        story.rotate("k2", 2, asked: 1, got: 2, revoked: ["k1"], settlement: Self.unsettled)
        story.change(.revoke, kid: "k1", asked: 1, got: 2, .unknown("DEADLINE_EXCEEDED"))
        story.sign("k1", asked: 3)
        story.fetch(["k2"], at: 4)
        story.deed("cut", "b", from: 1, to: 3)
        story.inventory(token: ["01"], live: ["k1": "01"], at: 9)
        story.foreignKey("x", at: 1)
        story.commit(2, ["k2": "active"], at: 1)
        story.lag(from: 1, to: 2)
        try await withTemporaryDirectory { directory in
            try story.history.write(to: directory + "/history")
            let read = try History.read(directory + "/history")
            #expect(read.events == story.history.events)
            let report = await FleetChecker(read) { _, _, _ in true }.check()
            #expect(Set(report.violations.map(\.kind)) == [.signedAfterRevocation, .agentWentBack, .oldKeyAfterRotation])
            try Data("{}\n{".utf8).write(to: URL(fileURLWithPath: directory + "/broken"))
            #expect(throws: (any Error).self) { try History.read(directory + "/broken") }
        }
    }
}
