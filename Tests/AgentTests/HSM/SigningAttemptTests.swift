import Crypto
import JOSE
import KeyLifecycle
import PKCS11
import Testing

@testable import Agent

@Suite("What is tried for one signature after a failure")
struct SigningAttemptTests {
    typealias Step = SigningAttempt.Step
    typealias Consequence = SigningAttempt.Failure.Consequence

    /// How an attempt goes whose call fails with the same value again and again, told in short words.
    struct Row: Sendable, CustomTestStringConvertible {
        let values: [ReturnValue]
        let steps: [String]
        var testDescription: String { values.map(\.name).joined(separator: ", ") + ": " + steps.joined(separator: ", ") }

        init(_ values: ReturnValue..., steps: String...) {
            self.values = values
            self.steps = steps
        }
    }

    static let table = [
        Row(.sessionHandleInvalid, .sessionClosed, steps: "fresh session, the old one lost", "fail and probe"),
        Row(.objectHandleInvalid, .keyHandleInvalid, steps: "fresh session", "fail, key absent"),
        Row(.userNotLoggedIn, steps: "log in", "fresh session", "fail and probe"),
        Row(
            .deviceRemoved, .tokenNotPresent, .tokenNotRecognized, .slotIDInvalid, .cryptokiNotInitialized,
            steps: "fail and probe"),
        Row(.deviceError, .generalError, steps: "fresh session", "fail and probe"),
        Row(.functionFailed, steps: "again", "again", "fresh session", "fail and probe"),
        Row(.operationActive, .operationNotInitialized, steps: "fresh session", "fail and probe"),
        Row(.sessionCount, steps: "await a session"),
        Row(.hostMemory, .deviceMemory, steps: "again", "again", "busy, shed load"),
        Row(
            .pinIncorrect, .pinLenRange, .pinLocked, .pinExpired, .userPINNotInitialized, .userAnotherAlreadyLoggedIn,
            steps: "fail and probe"),
        Row(
            .mechanismInvalid, .keyTypeInconsistent, .keyFunctionNotPermitted, .dataLenRange, .dataInvalid, .argumentsBad,
            .tokenWriteProtected, .sessionReadOnly, steps: "fail"),
        Row(ReturnValue(rawValue: 0x8000_0ABC), ReturnValue(rawValue: 0x777), .cancel, steps: "fresh session", "fail and probe"),
    ]

    @Test("each return value has its ladder", arguments: table)
    func ladder(row: Row) throws {
        for value in row.values {
            #expect(try steps(after: PKCS11Error(function: "C_Sign", value)) == row.steps, "\(value)")
        }
    }

    @Test("a key that is not there is looked for on a fresh session, then out of use; a trial of it costs no session")
    func absentKey() throws {
        let absent = PKCS11Error(.objectNotFound, "the token shows no key")
        #expect(try steps(after: absent) == ["fresh session", "fail, key absent"])
        #expect(try steps(after: absent, isTrial: true) == ["fail, key absent"])
        // A token that logged the process out shows no key at all.
        #expect(try steps(after: absent, isTrial: true, isLoggedIn: false) == ["fresh session", "fail, key absent"])
    }

    @Test("a faulty RSA signature is made anew once; after a faulty EC signature the key is out of use at once")
    func faultySignature() throws {
        let faulty = HSMError(.signatureFaulty, "does not verify", hint: "")
        #expect(try steps(after: faulty, .rs256) == ["fresh session", "fail, key out of use"])
        #expect(try steps(after: faulty, .es256) == ["fail, key out of use"])
    }

    @Test("a vendor's own return value is named in hexadecimal")
    func vendorDefined() throws {
        var attempt = try attempt(.es256)
        _ = attempt.next(after: vendor) { true }
        guard case .fail(let failure) = attempt.next(after: vendor, isLoggedIn: { true }) else {
            Issue.record("it goes on")
            return
        }
        #expect(failure.error.message.contains("0x80000abc"))
    }

    private let vendor = PKCS11Error(function: "C_Sign", ReturnValue(rawValue: 0x8000_0ABC))

    private func steps(
        after error: any Error, _ algorithm: SignatureAlgorithm = .es256, isTrial: Bool = false, isLoggedIn: Bool = true
    ) throws -> [String] {
        var attempt = try attempt(algorithm)
        attempt.isTrial = isTrial
        var words: [String] = []
        for _ in 1...8 {
            switch attempt.next(after: error, isLoggedIn: { isLoggedIn }) {
            case .again: words.append("again")
            case .logIn: words.append("log in")
            case .freshSession(let isLost): words.append("fresh session" + (isLost ? ", the old one lost" : ""))
            case .awaitSession: return words + ["await a session"]
            case .fail(let failure):
                return words + [word(failure)]
            }
        }
        return words + ["for ever"]
    }

    private func word(_ failure: SigningAttempt.Failure) -> String {
        switch failure.consequence {
        case .none: "fail"
        case .probe: "fail and probe"
        case .keyOutOfUse: "fail, key out of use"
        case .keyAbsent: "fail, key absent"
        case .shedLoad: failure.error.code == .busy ? "busy, shed load" : "shed load"
        }
    }

    private func attempt(_ algorithm: SignatureAlgorithm) throws -> SigningAttempt {
        let publicKey = algorithm == .rs256 ? Self.rsa : Self.ec
        let key = SigningKey(
            kid: "kid", keyID: try #require(KeyID([UInt8](repeating: 1, count: 16))), algorithm: algorithm,
            publicKey: try publicKey().subjectPublicKeyInfo, state: .active, publishedAt: Timestamp(seconds: 0),
            knownFrom: Timestamp(seconds: 0))
        return SigningAttempt(job: UnwantedJob(key: try KeyReference(key)), deadline: .max)
    }

    private static func rsa() throws -> PublicKey {
        try PublicKey(rsaModulus: [0x80] + [UInt8](repeating: 0, count: 254) + [1], exponent: [1, 0, 1])
    }

    private static func ec() throws -> PublicKey {
        try PublicKey(ecPoint: Array(P256.Signing.PrivateKey().publicKey.x963Representation), on: .p256)
    }
}

/// A job that nobody waits for.
private final class UnwantedJob: SigningJob {
    let key: KeyReference
    let uid: UInt32 = 0

    init(key: KeyReference) {
        self.key = key
    }

    func maySign(at now: Int64) -> Bool { true }
    var isKeyCertain: Bool { true }
    func signingInput() -> [UInt8] { [] }
    func end(_ result: Result<SignedInput, HSMError>) {}
    func endTogether(_ work: () -> Void) { work() }
}
