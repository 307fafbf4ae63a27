import KeyLifecycle
import PKCS11

extension Session {
    /// The key objects with this `CKA_ID`, private ones first.
    func objects(of keyID: KeyID) throws(PKCS11Error) -> [ObjectHandle] {
        try findObjects([.class(.privateKey), .id(keyID.bytes)]) + findObjects([.class(.publicKey), .id(keyID.bytes)])
    }

    /// Whether a handle is that of a key object with this class and `CKA_ID`. One that was noted can have become another
    /// object's, or nobody's.
    func shows(_ object: ObjectHandle, as class: ObjectClass, of keyID: KeyID) throws(PKCS11Error) -> Bool {
        do throws(PKCS11Error) {
            guard try number(.class, of: object) == `class`.rawValue else { return false }
            return try bytes(.id, of: object) == keyID.bytes
        } catch {
            guard Reaction(to: error).mayBeOfHandle else { throw error }
            return false
        }
    }

    /// What may be destroyed of the objects with this class and `CKA_ID`: the one there is. Where somebody has put another
    /// under the same `CKA_ID`, the label tells whose is whose.
    ///
    /// - Throws: `HSMError` when it does not tell.
    func ownObjects(_ class: ObjectClass, of keyID: KeyID) throws -> [ObjectHandle] {
        let found = try findObjects([.class(`class`), .id(keyID.bytes)])
        guard found.count > 1 else { return found }
        var own: [ObjectHandle] = []
        for object in found where try bytes(.label, of: object)?.starts(with: Self.ownLabel) == true { own.append(object) }
        guard own.count <= 1 else {
            throw HSMError(
                .unavailable,
                "the token has \(own.count) objects of class \(`class`) with CKA_ID \(keyID) that are labelled as ours",
                hint: "remove those that somebody has put there: which of them is to be destroyed cannot be told")
        }
        return own
    }

    /// What `CKA_LABEL` begins with on every key of an agent.
    private static var ownLabel: [UInt8] { Array("privyseal/".utf8) }
}
