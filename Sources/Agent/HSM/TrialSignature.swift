import JOSE
import KeyLifecycle
import Platform

extension HSM {
    /// Signs something with a key that no relying party would take for a JWT, as callers' signatures are made, and verifies it:
    /// what shows that this agent can use a key which another one has made.
    ///
    /// - Throws: `HSMError`.
    func tryKey(_ key: KeyReference) async throws {
        let signed = try await withCheckedThrowingContinuation { continuation in
            sign(TrialSignature(key, continuation))
        }
        guard key.verifier.isValid(signature: signed.signature, signingInput: signed.input) else {
            throw HSMError.faultyTrial(key.kid)
        }
    }
}

private final class TrialSignature: SigningJob {
    let key: KeyReference
    /// The agent's own turn among its callers'.
    let uid = UInt32.max
    /// No compact JWS has a colon in it (RFC 7515 §7.1).
    private let input = Array("privyseal:trial:\(SystemRandom.hexadecimal(bytes: 16))".utf8)
    private let continuation: CheckedContinuation<SignedInput, any Error>

    init(_ key: KeyReference, _ continuation: CheckedContinuation<SignedInput, any Error>) {
        self.key = key
        self.continuation = continuation
    }

    /// It is given to no caller.
    func maySign(at now: Int64) -> Bool { true }

    var isKeyCertain: Bool { false }

    func signingInput() -> [UInt8] { input }

    func end(_ result: Result<SignedInput, HSMError>) {
        continuation.resume(with: result.mapError { $0 })
    }

    func endTogether(_ work: () -> Void) { work() }
}

extension HSMError {
    fileprivate static func faultyTrial(_ kid: String) -> HSMError {
        HSMError(
            .signatureFaulty, "a trial signature with the key \(kid) does not verify",
            hint: "have the token examined; rotate the issuer of the key")
    }
}
