import IssuerStore
import JOSE
import KeyLifecycle
import PKCS11

extension TokenManagement {
    var tokenIdentity: TokenIdentity {
        TokenIdentity(label: access.info.label, serial: access.info.serialNumber)
    }

    func inventory(knowing keyIDs: Set<KeyID>) async throws -> TokenInventory {
        try await perform(long: true) { [access] session in
            let generation = access.generation
            var count = InventoryCount()
            for object in try session.findObjects([.class(.privateKey)]) {
                try count.add(object, isPrivate: true, keyIDs, session)
            }
            for object in try session.findObjects([.class(.publicKey)]) {
                try count.add(object, isPrivate: false, keyIDs, session)
            }
            access.knownHandles.replace(
                by: count.privateKeys, keyIDs: count.keyIDs, auditKeys: count.auditKeys, generation: generation)
            return TokenInventory(
                token: TokenIdentity(label: access.info.label, serial: access.info.serialNumber),
                tokenGeneration: generation, entries: count.entries, withoutID: count.withoutID, foreign: count.foreign)
        }
    }
}

/// An inventory in the making.
private struct InventoryCount {
    var entries: [KeyID: TokenInventory.Entry] = [:]
    /// Where there is exactly one.
    var privateKeys: [KeyID: ObjectHandle] = [:]
    /// Of all objects, whoever's they are.
    var keyIDs: Set<KeyID> = []
    /// By label, the pairs there are one of.
    var auditKeys: [String: [KeyID: KeyPair]] { auditObjects.mapValues { $0.compactMapValues(\.pair) } }
    private var auditObjects: [String: [KeyID: AuditObjects]] = [:]
    var withoutID = 0
    var foreign = 0

    mutating func add(
        _ object: ObjectHandle, isPrivate: Bool, _ known: Set<KeyID>, _ session: borrowing Session
    ) throws(PKCS11Error) {
        let id: [UInt8]?
        do throws(PKCS11Error) {
            id = try session.bytes(.id, of: object)
        } catch {
            // Destroyed by somebody since it was found.
            guard error.returnValue == .objectHandleInvalid else { throw error }
            return
        }
        guard let id, !id.isEmpty else {
            withoutID += 1
            return
        }
        // Most of somebody else's objects are told apart without a look at their labels.
        guard let keyID = KeyID(id) else {
            foreign += 1
            return
        }
        keyIDs.insert(keyID)
        let text = try session.bytes(.label, of: object).map { String(decoding: $0, as: UTF8.self) }
        let label = text.flatMap(KeyLabel.init)
        guard label != nil || known.contains(keyID) else {
            foreign += 1
            guard let text, text.hasPrefix(TokenHeadSigner.labelPrefix) else { return }
            auditObjects[text, default: [:]][keyID, default: AuditObjects()].add(object, isPrivate: isPrivate)
            return
        }
        let before = entries[keyID]
        if isPrivate { privateKeys[keyID] = before == nil ? object : nil }
        let publicKeys = (before?.publicKeys ?? 0) + (isPrivate ? 0 : 1)
        entries[keyID] = TokenInventory.Entry(
            keyID: keyID, label: before?.label ?? label, privateKeys: (before?.privateKeys ?? 0) + (isPrivate ? 1 : 0),
            publicKeys: publicKeys, publicKey: publicKeys == 1 ? session.subjectPublicKeyInfo(of: object, isPrivate) : nil)
    }
}

private struct AuditObjects {
    var privateKeys: [ObjectHandle] = []
    var publicKeys: [ObjectHandle] = []

    var pair: KeyPair? {
        guard privateKeys.count == 1, publicKeys.count == 1 else { return nil }
        return KeyPair(publicKey: publicKeys[0], privateKey: privateKeys[0])
    }

    mutating func add(_ object: ObjectHandle, isPrivate: Bool) {
        if isPrivate { privateKeys.append(object) } else { publicKeys.append(object) }
    }
}

extension Session {
    /// `nil` for a public key that is none this program can use, and for a private one.
    fileprivate func subjectPublicKeyInfo(of object: ObjectHandle, _ isPrivate: Bool) -> [UInt8]? {
        isPrivate ? nil : try? PublicKey(publicKey(of: object)).subjectPublicKeyInfo
    }
}
