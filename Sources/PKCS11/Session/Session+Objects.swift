import CCryptoki

extension Session {
    /// The objects that have all of these attributes (`C_FindObjects`), at most `limit` of them.
    ///
    /// Private keys are found only while the user is logged in. The order is the token's.
    public func findObjects(_ template: [Attribute], limit: Int = .max) throws(PKCS11Error) -> [ObjectHandle] {
        try call("C_FindObjectsInit") { functions, session in
            withTemplate(template) { unsafe functions.pointee.C_FindObjectsInit!(session, $0, $1) }
        }
        let found: [ObjectHandle]
        do {
            found = try collectFoundObjects(limit: limit)
        } catch {
            // The first failure is the one to report; a search that is left open would fail the next one.
            try? endSearch()
            throw error
        }
        try endSearch()
        return found
    }

    /// The one key with this `CKA_ID` and class.
    ///
    /// Asks for two, since a second one with the same name would be used or destroyed by mistake. Throws ``PKCS11Error``
    /// with the code `objectNotFound` or `objectNotUnique`.
    public func findKey(_ class: ObjectClass, id: [UInt8]) throws(PKCS11Error) -> ObjectHandle {
        let found = try findObjects([.class(`class`), .id(id)], limit: 2)
        let name = "\(`class`) with CKA_ID " + id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        switch found.count {
        case 1:
            return found[0]
        case 0:
            throw PKCS11Error(.objectNotFound, "the token shows no \(name)")
        default:
            throw PKCS11Error(.objectNotUnique, "the token has more than one \(name)")
        }
    }

    /// Destroys an object for good (`C_DestroyObject`). Needs a read/write session.
    public func destroyObject(_ object: ObjectHandle) throws(PKCS11Error) {
        try call("C_DestroyObject") { unsafe $0.pointee.C_DestroyObject!($1, object.rawValue) }
    }

    private func collectFoundObjects(limit: Int) throws(PKCS11Error) -> [ObjectHandle] {
        var found: [ObjectHandle] = []
        var batch = [CK_OBJECT_HANDLE](repeating: 0, count: max(0, min(limit, 64)))
        while found.count < limit {
            let wanted = min(limit - found.count, batch.count)
            var count: CK_ULONG = 0
            try call("C_FindObjects") {
                unsafe $0.pointee.C_FindObjects!($1, &batch, CK_ULONG(wanted), &count)
            }
            // Fewer than asked for is not the end of the search; none is.
            guard count > 0 else { break }
            found += batch.prefix(min(Int(count), wanted)).map(ObjectHandle.init(rawValue:))
        }
        return found
    }

    private func endSearch() throws(PKCS11Error) {
        try call("C_FindObjectsFinal") { unsafe $0.pointee.C_FindObjectsFinal!($1) }
    }
}
