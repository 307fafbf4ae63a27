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
            let (entries, foreign) = count.result()
            return TokenInventory(
                token: TokenIdentity(label: access.info.label, serial: access.info.serialNumber),
                tokenGeneration: generation, entries: entries, withoutID: count.withoutID, foreign: foreign)
        }
    }
}

/// An inventory in the making.
private struct InventoryCount {
    private var shown: [KeyID: ShownObjects] = [:]
    /// Where there is exactly one.
    var privateKeys: [KeyID: ObjectHandle] = [:]
    /// Of all objects, also of those that are none of ours.
    var keyIDs: Set<KeyID> = []
    /// By label, the pairs there are one of.
    var auditKeys: [String: [KeyID: KeyPair]] { auditObjects.mapValues { $0.compactMapValues(\.pair) } }
    private var auditObjects: [String: [KeyID: AuditObjects]] = [:]
    var withoutID = 0
    private var foreign = 0

    mutating func add(
        _ object: ObjectHandle, isPrivate: Bool, _ known: Set<KeyID>, _ session: borrowing Session
    ) throws(PKCS11Error) {
        let id: [UInt8]?
        do throws(PKCS11Error) {
            id = try session.bytes(.id, of: object)
        } catch {
            // It has been destroyed since it was found.
            guard error.returnValue == .objectHandleInvalid else { throw error }
            return
        }
        guard let id, !id.isEmpty else {
            withoutID += 1
            return
        }
        // Most of others' objects are told apart without a look at their labels.
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
        if isPrivate { privateKeys[keyID] = shown[keyID] == nil ? object : nil }
        let publicKey = isPrivate ? nil : session.subjectPublicKeyInfo(of: object)
        shown[keyID, default: ShownObjects()].add(label, isPrivate: isPrivate, publicKey)
    }

    /// What is counted, and what of others' is under a `CKA_ID` of ours as well.
    func result() -> (entries: [KeyID: TokenInventory.Entry], foreign: Int) {
        let entries = shown.map { keyID, objects in (keyID, objects.entry(keyID)) }
        return (
            Dictionary(uniqueKeysWithValues: entries.map { ($0, $1.entry) }),
            entries.reduce(foreign) { $0 + $1.1.others }
        )
    }
}

/// The objects under one `CKA_ID`.
private struct ShownObjects {
    private struct Class {
        var labelled = 0
        var others = 0
        var publicKey: [UInt8]?

        /// Those with a PrivySeal's label; without any, all: labels can be changed.
        var counted: Int { labelled > 0 ? labelled : others }
        var left: Int { labelled > 0 ? others : 0 }

        /// The public key of what is counted stays, that of the last.
        mutating func add(isLabelled: Bool, _ publicKey: [UInt8]?) {
            if isLabelled { labelled += 1 } else { others += 1 }
            if isLabelled || labelled == 0 { self.publicKey = publicKey }
        }
    }

    private var label: KeyLabel?
    private var privateKeys = Class()
    private var publicKeys = Class()

    mutating func add(_ label: KeyLabel?, isPrivate: Bool, _ publicKey: [UInt8]?) {
        self.label = self.label ?? label
        if isPrivate {
            privateKeys.add(isLabelled: label != nil, nil)
        } else {
            publicKeys.add(isLabelled: label != nil, publicKey)
        }
    }

    func entry(_ keyID: KeyID) -> (entry: TokenInventory.Entry, others: Int) {
        let entry = TokenInventory.Entry(
            keyID: keyID, label: label, privateKeys: privateKeys.counted, publicKeys: publicKeys.counted,
            publicKey: publicKeys.counted == 1 ? publicKeys.publicKey : nil)
        return (entry, privateKeys.left + publicKeys.left)
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
    /// `nil` for a public key that is none this program can use.
    fileprivate func subjectPublicKeyInfo(of object: ObjectHandle) -> [UInt8]? {
        try? PublicKey(publicKey(of: object)).subjectPublicKeyInfo
    }
}
