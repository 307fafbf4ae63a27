import PKCS11

/// What is known of the room that a token has for keys: what it says, which many do not, and how much it was asked for.
struct TokenRoom: Hashable, Sendable {
    /// Bytes left for the kind of object that has least of them; `nil` when the token does not say.
    let freeBytes: UInt?
    /// Key pairs that were made since the module was initialised, those that were destroyed since included: tpm2-pkcs11 goes on
    /// holding two objects of the TPM for each.
    let pairs: Int
    /// Those of them that were refused, and destroyed.
    let refusedPairs: Int

    init(freeBytes: UInt?, pairs: Int, refusedPairs: Int) {
        self.freeBytes = freeBytes
        self.pairs = pairs
        self.refusedPairs = refusedPairs
    }

    /// A 4096-bit RSA pair with its attributes takes some 3,000 bytes, and a rotation may want two before an old one goes.
    static let enough: UInt = 8_192

    /// Why a rotation may fail soon; `nil` when nothing says so.
    var shortage: HSMError? {
        guard let freeBytes, freeBytes < Self.enough else { return nil }
        return HSMError(
            .unavailable, "the token says that it has \(freeBytes) bytes left, and a rotation makes new keys before old ones go",
            hint: "remove what is not needed from the token, or give it more room")
    }

    /// For the end of a message about a key that could not be made.
    var description: String {
        let said = freeBytes.map { "the token says that it has \($0) bytes left" } ?? "the token does not say what room it has"
        let made = pairs == 1 ? "1 key pair was" : "\(pairs) key pairs were"
        let refused = refusedPairs == 0 ? "" : ", \(refusedPairs) of them refused and destroyed"
        return "\(said); \(made) made on it since the module was initialised\(refused)"
    }
}

extension PKCS11Error {
    /// Whether a generation may have failed for want of room: tpm2-pkcs11 says `CKR_GENERAL_ERROR` then.
    var mayBeWantOfRoom: Bool {
        guard function == "C_GenerateKeyPair", let returnValue else { return false }
        return [.generalError, .deviceMemory, .hostMemory].contains(returnValue)
    }
}

extension HSMError {
    /// Whether initialising the module anew may make room for the key that could not be made.
    var mayBeWantOfRoom: Bool { (cause as? PKCS11Error)?.mayBeWantOfRoom == true }

    /// The same, with what is known of the token's room.
    func with(_ room: TokenRoom) -> HSMError {
        HSMError(code, "\(message); \(room.description)", hint: hint, cause: cause)
    }
}
