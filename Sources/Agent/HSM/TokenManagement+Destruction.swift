import JOSE
import KeyLifecycle
import Logging
import PKCS11

extension TokenManagement {
    func destroy(_ key: DoomedKey, urgency: Urgency) async throws -> DoomedKey.Outcome {
        do {
            return try await tryToDestroy(key, urgency)
        } catch let error as HSMError where error.mayBeOfUse {
            // Once for each key: one that no initialisation sets free must not have the module initialised for ever. The next try
            // is the caller's, who has to look at the token again.
            if isFirstRenewal(for: key.keyID), await recovery.renew() {
                log.notice(
                    "initialised the PKCS#11 module anew to destroy a key that it held on to",
                    metadata: ["keyID": "\(key.keyID)", "reason": "\(error)"])
            }
            throw error
        }
    }

    private func tryToDestroy(_ key: DoomedKey, _ urgency: Urgency) async throws -> DoomedKey.Outcome {
        try await perform(writing: true, as: .destruction, urgency: urgency) { [self] session in
            guard access.generation == key.tokenGeneration else {
                throw HSMError(
                    .unavailable, "the module was initialised anew, so the token has to be looked at again",
                    hint: "the agent does that by itself")
            }
            let label = key.label.description
            let shown = ShownPair(
                privateKeys: try session.claimed(.privateKey, of: key.keyID, labelled: label),
                publicKeys: try session.claimed(.publicKey, of: key.keyID, labelled: label))
            guard !shown.privateKeys.isEmpty || !shown.publicKeys.isEmpty else { return .absent }
            let doomed: [ObjectHandle]
            switch try session.judge(shown, key) {
            case .same(let objects): doomed = objects
            case .named(let objects) where key.isTokenProven: doomed = objects
            case .named: return .unproven
            case .another: return .differs
            }
            // The private half first: of a pair that is half destroyed, the harmless half is left, and says what it was.
            access.knownHandles.forget(key.keyID)
            for object in doomed { try session.destroyObject(object) }
            noteRoom(session)
            return .destroyed
        }
    }
}

/// What a token shows under the `CKA_ID` of a doomed pair.
private struct ShownPair {
    let privateKeys: ClaimedObjects
    let publicKeys: ClaimedObjects
}

private enum Resemblance {
    /// These are the doomed pair, or what is left of it: a public key or a signature says so.
    case same([ObjectHandle])
    /// These have the doomed pair's label, and nothing else says what they are.
    case named([ObjectHandle])
    /// Nothing that is there is the doomed pair for certain.
    case another
}

extension Session {
    /// What of the objects under a doomed pair's `CKA_ID` is that pair: private halves first.
    ///
    /// Others' objects are left alone, and keep nothing of ours from being destroyed.
    fileprivate func judge(_ shown: ShownPair, _ key: DoomedKey) throws -> Resemblance {
        guard let wanted = key.publicKey else {
            let named = shown.privateKeys.likelyOwn + shown.publicKeys.likelyOwn
            return named.isEmpty ? .another : .named(named)
        }
        func isWanted(_ object: ObjectHandle) -> Bool {
            (try? PublicKey(publicKey(of: object)).subjectPublicKeyInfo) == wanted
        }
        // Another key with our label is something that no rule here foresees.
        guard shown.publicKeys.own.allSatisfy(isWanted) else { return .another }
        // The one there is may have been given another label.
        let publicKeys = shown.publicKeys.own + [shown.publicKeys.only].compactMap(\.self).filter(isWanted)
        // Which of two with our label is ours cannot be told.
        guard shown.privateKeys.own.count <= 1 else { return .another }
        if let only = shown.privateKeys.only {
            switch try (try? PublicKey(subjectPublicKeyInfo: wanted)).flatMap({ try isPrivateHalf(only, of: $0) }) {
            case true?: return .same([only] + publicKeys)
            case false?: break
            // As long as that is not known, the public half stays too: it says what the private one could be.
            case nil: return .another
            }
        }
        if !publicKeys.isEmpty { return .same(shown.privateKeys.own + publicKeys) }
        return shown.privateKeys.own.isEmpty ? .another : .named(shown.privateKeys.own)
    }
}

extension HSMError {
    /// Whether a module may not have destroyed a key because it takes it to be in use: tpm2-pkcs11 does so for good with one that
    /// it could not sign with.
    fileprivate var mayBeOfUse: Bool {
        guard let error = cause as? PKCS11Error, error.function == "C_DestroyObject", let value = error.returnValue else {
            return false
        }
        return [.functionFailed, .generalError].contains(value)
    }
}
