import JOSE
import KeyLifecycle
import PKCS11

extension TokenManagement {
    func destroy(_ key: DoomedKey) async throws -> DoomedKey.Outcome {
        try await perform(writing: true) { [access] session in
            guard access.generation == key.tokenGeneration else {
                throw HSMError(
                    .unavailable, "the module was initialised anew, so the token has to be looked at again",
                    hint: "the agent does that by itself")
            }
            let privateKeys = try session.findObjects([.class(.privateKey), .id(key.keyID.bytes)])
            let publicKeys = try session.findObjects([.class(.publicKey), .id(key.keyID.bytes)])
            guard !privateKeys.isEmpty || !publicKeys.isEmpty else { return .absent }
            switch try session.judge(privateKeys, publicKeys, key) {
            case .same: break
            case .named where key.isTokenProven: break
            case .named: return .unproven
            case .another: return .differs
            }
            // The private half first: of a pair that is half destroyed, the harmless half is left, and says what it was.
            access.knownHandles.forget(key.keyID)
            for object in privateKeys + publicKeys { try session.destroyObject(object) }
            return .destroyed
        }
    }
}

private enum Resemblance {
    /// Its public key is the doomed pair's.
    case same
    /// It has the doomed pair's label, and no public key to compare.
    case named
    case another
}

extension Session {
    /// Whether objects under a doomed pair's `CKA_ID` are that pair.
    fileprivate func judge(
        _ privateKeys: [ObjectHandle], _ publicKeys: [ObjectHandle], _ key: DoomedKey
    ) throws(PKCS11Error) -> Resemblance {
        if let wanted = key.publicKey, !publicKeys.isEmpty {
            let shown = publicKeys.map { try? PublicKey(publicKey(of: $0)).subjectPublicKeyInfo }
            return shown.allSatisfy { $0 == wanted } ? .same : .another
        }
        for object in privateKeys + publicKeys {
            guard try bytes(.label, of: object) == Array(key.label.description.utf8) else { return .another }
        }
        return .named
    }
}
