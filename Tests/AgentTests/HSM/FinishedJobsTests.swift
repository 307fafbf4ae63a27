import Crypto
import JOSE
import KeyLifecycle
import Platform
import Testing

@testable import Agent

@Suite("Signatures that are handed over together")
struct FinishedJobsTests {
    @Test("quick signatures wait for each other, and for nothing else")
    func waiting() throws {
        let ends = Ends()
        let (key, other, slower) = (try Self.key(), try Self.key(), try Self.key(.es384))
        let (rsa, otherRSA) = (try Self.key(.rs256), try Self.key(.rs256))
        var finished = FinishedJobs()
        func mustEnd(before key: KeyReference, at now: Int64 = 1_000, trial: Bool = false, isFound: Bool = true) -> Bool {
            var attempt = SigningAttempt(job: NotedJob(key, ends), deadline: .max)
            attempt.isTrial = trial
            return finished.mustEnd(before: attempt, at: now) { asked in
                #expect(asked === key)
                return isFound
            }
        }
        #expect(!mustEnd(before: key, isFound: false))

        finished.append(NotedJob(key, ends), Self.signed, begunAt: 1_000)
        #expect(!mustEnd(before: key, at: 1_000 + FinishedJobs.patience - 1))
        #expect(mustEnd(before: key, at: 1_000 + FinishedJobs.patience))
        #expect(mustEnd(before: key, trial: true))
        #expect(!mustEnd(before: key, isFound: false), "it has just signed")
        #expect(!mustEnd(before: other))
        #expect(mustEnd(before: other, isFound: false))
        #expect(mustEnd(before: slower))

        for _ in 1..<FinishedJobs.most {
            #expect(!mustEnd(before: key))
            finished.append(NotedJob(key, ends), Self.signed, begunAt: 2_000)
        }
        #expect(mustEnd(before: key))

        finished.removeAll()
        finished.append(NotedJob(rsa, ends), Self.signed, begunAt: 1_000)
        #expect(!mustEnd(before: rsa))
        #expect(mustEnd(before: otherRSA), "it may be a longer one")
    }

    @Test("each ends once, in their order; several together, one by itself")
    func ends() throws {
        let ends = Ends()
        let key = try Self.key()
        var finished = FinishedJobs()
        finished.end()
        finished.append(NotedJob(key, ends, "a"), Self.signed, begunAt: 0)
        finished.end()
        #expect(ends.noted.withLock { $0 } == ["a"])
        finished.removeAll()
        for name in ["b", "c"] { finished.append(NotedJob(key, ends, name), Self.signed, begunAt: 0) }
        finished.end()
        #expect(ends.noted.withLock { $0 } == ["a", "together", "b", "c", "."])
        finished.removeAll()
        finished.end()
        #expect(ends.noted.withLock { $0.count } == 5)
    }

    private static let signed = SignedInput(input: [], signature: [])

    private static func key(_ algorithm: SignatureAlgorithm = .es256) throws -> KeyReference {
        let publicKey =
            switch algorithm {
            case .rs256:
                try PublicKey(rsaModulus: [0xC0] + SystemRandom.bytes(254) + [1], exponent: [1, 0, 1])
            case .es384: try PublicKey(ecPoint: Array(P384.Signing.PrivateKey().publicKey.x963Representation), on: .p384)
            default: try PublicKey(ecPoint: Array(P256.Signing.PrivateKey().publicKey.x963Representation), on: .p256)
            }
        return try KeyReference(
            SigningKey(
                kid: publicKey.kid, keyID: try #require(KeyID([UInt8](repeating: 1, count: 16))), algorithm: algorithm,
                publicKey: publicKey.subjectPublicKeyInfo, state: .active, publishedAt: Timestamp(seconds: 0),
                knownFrom: Timestamp(seconds: 0)))
    }
}

/// What ended, in its order.
private final class Ends: Sendable {
    let noted = Locked<[String]>([])

    func note(_ what: String) {
        noted.withLock { $0.append(what) }
    }
}

private final class NotedJob: SigningJob {
    let key: KeyReference
    let uid: UInt32 = 0
    private let ends: Ends
    private let name: String

    init(_ key: KeyReference, _ ends: Ends, _ name: String = "") {
        self.key = key
        self.ends = ends
        self.name = name
    }

    func maySign(at now: Int64) -> Bool { true }
    var isKeyCertain: Bool { true }
    func signingInput() -> [UInt8] { [] }

    func end(_ result: Result<SignedInput, HSMError>) {
        ends.note(name)
    }

    func endTogether(_ work: () -> Void) {
        ends.note("together")
        work()
        ends.note(".")
    }
}
