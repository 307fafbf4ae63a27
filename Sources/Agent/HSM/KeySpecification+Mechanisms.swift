import KeyLifecycle
import PKCS11

extension KeySpecification {
    /// Asks a token for the two mechanisms of a key: the one that generates it and the one it signs with.
    ///
    /// - Throws: `HSMError` with `.unsupported`, naming the mechanism that is missing or too small; `PKCS11Error`.
    func requireMechanisms(of slot: Slot) throws {
        try require(generationMechanism, .generateKeyPair, "generates key pairs", of: slot)
        try require(algorithm.mechanism.type, .sign, "signs", of: slot)
    }

    private func require(
        _ mechanism: MechanismType, _ flag: MechanismInfo.Flags, _ does: String, of slot: Slot
    ) throws {
        let info: MechanismInfo
        do throws(PKCS11Error) {
            info = try slot.mechanismInfo(mechanism)
        } catch {
            guard error.returnValue == .mechanismInvalid else { throw error }
            throw lacking("the token lacks \(mechanism), which \(self) needs", cause: error)
        }
        guard info.flags.contains(flag) else {
            throw lacking("the token's \(mechanism), which \(self) needs, is not one that \(does)")
        }
        guard admits(info) else {
            throw lacking(
                "the token's \(mechanism) takes keys of \(info.minimumKeySize) to \(info.maximumKeySize) bits, "
                    + "\(self) needs \(keyBits)")
        }
    }

    /// Tokens that do not say leave the largest size zero; Ed25519 keys count as 255 bits or as 256.
    private func admits(_ info: MechanismInfo) -> Bool {
        guard info.maximumKeySize > 0 else { return true }
        let sizes: [Int] = algorithm == .edDSA ? [keyBits, keyBits + 1] : [keyBits]
        return sizes.contains { UInt($0) >= info.minimumKeySize && UInt($0) <= info.maximumKeySize }
    }

    private func lacking(_ message: String, cause: (any Error)? = nil) -> HSMError {
        HSMError(.unsupported, message, hint: "choose another algorithm, or a token that has the mechanism", cause: cause)
    }
}
