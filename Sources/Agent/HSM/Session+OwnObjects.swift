import JOSE
import KeyLifecycle
import PKCS11

/// The objects of one class under a `CKA_ID` of ours, by whose they are.
///
/// Ours are those with our label. A `CKA_ID` alone says nothing: others copy it from a key to its certificate, and some from
/// one key to another.
struct ClaimedObjects: Hashable, Sendable {
    private(set) var own: [ObjectHandle] = []
    private(set) var others: [ObjectHandle] = []
    /// The one object there is, when its label is empty or the beginning of ours: some tokens keep no label, or not all of it.
    private(set) var unlabelled: ObjectHandle?

    init(_ found: [(object: ObjectHandle, label: [UInt8]?)], labelled label: String) {
        let ours = Array(label.utf8)
        for (object, shown) in found {
            if shown == ours { own.append(object) } else { others.append(object) }
        }
        if found.count == 1, own.isEmpty, ours.starts(with: found[0].label ?? []) { unlabelled = found[0].object }
    }

    /// What is ours as far as labels tell.
    var likelyOwn: [ObjectHandle] { own + [unlabelled].compactMap(\.self) }
    /// The one object there is, when it has another label than ours.
    var only: ObjectHandle? { own.isEmpty && others.count == 1 ? others[0] : nil }
    var isEmpty: Bool { own.isEmpty && others.isEmpty }
}

extension Session {
    /// The key objects with this `CKA_ID`, private ones first.
    func objects(of keyID: KeyID) throws(PKCS11Error) -> [ObjectHandle] {
        try findObjects([.class(.privateKey), .id(keyID.bytes)]) + findObjects([.class(.publicKey), .id(keyID.bytes)])
    }

    /// The objects with this class and `CKA_ID`, told apart by their labels.
    func claimed(_ class: ObjectClass, of keyID: KeyID, labelled label: String) throws(PKCS11Error) -> ClaimedObjects {
        var found: [(object: ObjectHandle, label: [UInt8]?)] = []
        for object in try findObjects([.class(`class`), .id(keyID.bytes)]) {
            found.append((object, try bytes(.label, of: object)))
        }
        return ClaimedObjects(found, labelled: label)
    }

    /// Destroys what is ours under a `CKA_ID` that was given to nothing before, the private half first: of a pair that is half
    /// destroyed, the harmless half is left, and says what it was.
    func destroyOwn(_ keyID: KeyID, labelled label: String) throws(PKCS11Error) {
        for `class` in [ObjectClass.privateKey, .publicKey] {
            for object in try claimed(`class`, of: keyID, labelled: label).likelyOwn { try destroyObject(object) }
        }
    }

    /// Whether a handle is that of a key object with this class and `CKA_ID`. One that was noted can have become another
    /// object's, or none's.
    func shows(_ object: ObjectHandle, as class: ObjectClass, of keyID: KeyID) throws(PKCS11Error) -> Bool {
        do throws(PKCS11Error) {
            guard try number(.class, of: object) == `class`.rawValue else { return false }
            return try bytes(.id, of: object) == keyID.bytes
        } catch {
            guard Reaction(to: error).mayBeOfHandle else { throw error }
            return false
        }
    }

    /// Whether a private key is the other half of a public one: what it signs tells.
    ///
    /// - Returns: `nil` for a key that does not sign, which says nothing.
    func isPrivateHalf(_ object: ObjectHandle, of publicKey: PublicKey) throws -> Bool? {
        for algorithm in SignatureAlgorithm.allCases where algorithm.jws.keyType == publicKey.keyType {
            do {
                return try algorithm.isKeyType(of: object, self) && isSigned(by: object, publicKey, algorithm)
            } catch let error as PKCS11Error {
                // A key that may not sign so, or not at all.
                guard Reaction(to: error) == .fail || error.code == .signatureMalformed else { throw error }
            }
        }
        return nil
    }

    /// Whether what a private key signs verifies by a public key.
    func isSigned(by object: ObjectHandle, _ publicKey: PublicKey, _ algorithm: SignatureAlgorithm) throws -> Bool {
        let verifier = try publicKey.verifier(for: algorithm.jws)
        let digest = SigningDigest(of: Self.claim, for: algorithm.jws)
        return verifier.isValid(signature: try algorithm.sign(digest, self, object), for: digest)
    }

    /// What is signed to find out: no JWT begins so.
    private static var claim: [UInt8] { Array("privyseal: whose key is this".utf8) }
}
