import PKCS11
import SoftHSMSupport
import Testing

@Suite("Keys")
struct KeyTests {
    static let algorithms: [KeyPairAlgorithm] = [
        .rsa(modulusBits: 2048), .ec(.p256), .ec(.p384), .ec(.p521), .ed25519(.objectIdentifier), .ed25519(.printableString),
    ]

    @Test("a generated key is sensitive, was never extractable, and signs only", arguments: algorithms)
    func custody(algorithm: KeyPairAlgorithm) throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(algorithm, id: [1], label: "privyseal/test/demo")

            #expect(
                try session.custody(of: pair.privateKey)
                    == CustodyAttributes(
                        sensitive: true, extractable: false, alwaysSensitive: true, neverExtractable: true, local: true,
                        sign: true, signRecover: false, decrypt: false, unwrap: false, derive: false))
            for usage in [AttributeType.encrypt, .wrap, .verifyRecover, .derive] {
                #expect(try session.bool(usage, of: pair.publicKey) == false, "\(usage)")
            }
            #expect(try session.bool(.verify, of: pair.publicKey) == true)
            for half in [pair.publicKey, pair.privateKey] {
                #expect(try session.bool(.token, of: half) == true)
                #expect(try session.bytes(.id, of: half) == [1])
                #expect(try session.bytes(.label, of: half) == Array("privyseal/test/demo".utf8))
            }
            #expect(try session.bool(.private, of: pair.privateKey) == true)
            #expect(try session.bool(.private, of: pair.publicKey) == false)
        }
    }

    @Test("without the false usages a token that does not know them is still told what custody is", arguments: algorithms)
    func allowedUsagesOnly(algorithm: KeyPairAlgorithm) throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(algorithm, id: [1], label: "key", naming: .allowedOnly)
            let custody = try session.custody(of: pair.privateKey)
            #expect(custody.sensitive == true && custody.extractable == false && custody.sign == true)
            // What SoftHSM does with a usage left out, and why every one is named by default.
            #expect(custody.decrypt == true)
        }
    }

    @Test("a key is found again by its id and class in a later session")
    func found() throws {
        try SoftHSMToken.with { token in
            let id: [UInt8] = Array(0..<16)
            do {
                let session = try token.session()
                _ = try session.generateKeyPair(.ec(.p256), id: [9], label: "another")
                _ = try session.generateKeyPair(.ec(.p256), id: id, label: "key")
            }
            let session = try token.session()
            let key = try session.findKey(.privateKey, id: id)
            #expect(try session.bytes(.label, of: key) == Array("key".utf8))
            #expect(try session.number(.class, of: key) == ObjectClass.privateKey.rawValue)
            #expect(try session.findKey(.publicKey, id: id) != key)
        }
    }

    @Test("no key, and two keys of one id, are errors of their own")
    func notOne() throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            #expect(code { () throws(PKCS11Error) in try session.findKey(.privateKey, id: [1, 0xAB]) } == .objectNotFound)
            for _ in 0..<2 { _ = try session.generateKeyPair(.ec(.p256), id: [1, 0xAB], label: "key") }
            #expect(code { () throws(PKCS11Error) in try session.findKey(.privateKey, id: [1, 0xAB]) } == .objectNotUnique)
            // A search that failed leaves none open.
            #expect(try session.findObjects([.id([1, 0xAB])]).count == 4)
        }
    }

    @Test("a search gives all there is, up to its limit")
    func limit() throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            for number in 0..<40 { _ = try session.generateKeyPair(.ec(.p256), id: [UInt8(number)], label: "key") }
            #expect(try Set(session.findObjects([])).count == 80)
            #expect(try session.findObjects([.class(.privateKey)]).count == 40)
            #expect(try session.findObjects([], limit: 70).count == 70)
            #expect(try session.findObjects([], limit: 0).isEmpty)
            #expect(try session.findObjects([.label("other")]).isEmpty)
        }
    }

    @Test("a private key is not found before login")
    func beforeLogin() throws {
        try SoftHSMToken.with { token in
            _ = try token.session().generateKeyPair(.ec(.p256), id: [1], label: "key")
            let session = try token.slot().openSession(.readOnly)
            #expect(try session.findObjects([.class(.privateKey)]).isEmpty)
            #expect(try session.findObjects([.class(.publicKey)]).count == 1)
        }
    }

    @Test("a destroyed key is gone, and its handle is refused")
    func destroyed() throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            try session.destroyObject(pair.privateKey)
            #expect(code { () throws(PKCS11Error) in try session.findKey(.privateKey, id: [1]) } == .objectNotFound)
            let failure = code { () throws(PKCS11Error) in
                try session.sign([UInt8](repeating: 1, count: 32), with: .ecdsa, key: pair.privateKey)
            }
            #expect([.keyHandleInvalid, .objectHandleInvalid].contains(failure?.returnValue))
        }
    }

    @Test("the private half is read by nobody, whatever the token would say")
    func privateValues() throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.rsa(modulusBits: 2048), id: [1], label: "key")
            // CKA_VALUE, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT.
            for number in [0x11, 0x123, 0x124, 0x125, 0x126, 0x127, 0x128] as [UInt] {
                let failure = code { () throws(PKCS11Error) in
                    try session.bytes(AttributeType(rawValue: number), of: pair.privateKey)
                }
                #expect(failure == .attributePrivate)
            }
        }
    }

    @Test("an attribute the object does not have is nil, one of another form an error")
    func attributes() throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            #expect(try session.bytes(.modulus, of: pair.publicKey) == nil)
            #expect(try session.bool(.modulus, of: pair.publicKey) == nil)
            #expect(try session.number(.keyType, of: pair.publicKey) == KeyType.ec.rawValue)
            #expect(code { () throws(PKCS11Error) in try session.number(.token, of: pair.publicKey) } == .attributeMalformed)
        }
    }

    @Test("a generation the token cannot do names the function and leaves no key")
    func impossible() throws {
        try SoftHSMToken.with { token in
            let session = try token.session()
            let failure = code { () throws(PKCS11Error) in
                try session.generateKeyPair(.rsa(modulusBits: 16), id: [1], label: "key")
            }
            #expect(failure?.returnValue != nil)
            #expect(try session.findObjects([]).isEmpty)
        }
    }
}

/// The code of the error that a call throws; nil when it throws none. `#expect(throws:)` cannot capture a session.
private func code<Result>(_ body: () throws(PKCS11Error) -> Result) -> PKCS11Error.Code? {
    do throws(PKCS11Error) {
        _ = try body()
        return nil
    } catch {
        return error.code
    }
}
