import PKCS11
import SoftHSMSupport
import Testing

@Suite("Token URI")
struct TokenURITests {
    @Test("the attributes that name a token are read, percent-encoding included")
    func attributes() throws {
        let uri = try TokenURI("pkcs11:token=two%20words;manufacturer=SoftHSM%20project;model=v2;serial=0a1b;slot-id=7")
        #expect(uri.label == "two words")
        #expect(uri.manufacturerID == "SoftHSM project")
        #expect(uri.model == "v2")
        #expect(uri.serialNumber == "0a1b")
        #expect(uri.slotID == 7)
    }

    @Test("what a URI does not say is nil")
    func absent() throws {
        let uri = try TokenURI("pkcs11:")
        #expect(uri.label == nil && uri.serialNumber == nil && uri.slotID == nil)
    }

    @Test("order and encoding make no difference")
    func canonical() throws {
        #expect(try TokenURI("pkcs11:token=a;serial=1") == TokenURI("pkcs11:serial=1;token=%61"))
        #expect(try TokenURI("pkcs11:token=a") != TokenURI("pkcs11:token=b"))
    }

    @Test(
        "what is no URI of a token is refused",
        arguments: [
            "", "token=a", "http://example.com", "pkcs11", "pkcs11:token", "pkcs11:token=%zz", "pkcs11:token=a%2",
            "pkcs11:slot-id=x", "pkcs11:token=a\0b", "pkcs11:token=0123456789012345678901234567890123456789",
            "pkcs11:object=key", "pkcs11:token=a;id=%01", "pkcs11:token=a;type=private", "pkcs11:token=a;x-vendor=1",
            "pkcs11:token=a?pin-source=file:/etc/pin", "pkcs11:token=a?module-path=/lib/x.so",
            "pkcs11:token=a?module-name=x",
        ])
    func refused(text: String) throws {
        let error = try #require(throws: PKCS11Error.self) { try TokenURI(text) }
        #expect(error.code == .uriMalformed)
        #expect(error.hint?.isEmpty == false)
    }

    @Test(
        "white space is refused, since what it is left out of names another token",
        arguments: [
            "pkcs11:token=My Token", "pkcs11:token=MyToken ", " pkcs11:token=a", "pkcs11:token=a\n;serial=1", "pkcs11:token=a\tb",
            "pkcs11:serial=1 2", "pkcs11:token=a\r",
        ])
    func whiteSpace(text: String) throws {
        let error = try #require(throws: PKCS11Error.self) { try TokenURI(text) }
        #expect(error.code == .uriMalformed)
        #expect(error.message == "the token URI holds white space")
        #expect(error.hint == "write %20 for a space: pkcs11:token=My%20Token")
        #expect(try TokenURI("pkcs11:token=My%20Token").label == "My Token")
    }

    @Test(
        "an attribute that is too long for any token is called that, by the bytes it stands for",
        arguments: [
            ("token", 32, "a"), ("token", 32, "%61"), ("token", 32, "é"), ("manufacturer", 32, "b"), ("model", 16, "c"),
            ("serial", 16, "0"), ("library-manufacturer", 32, "d"), ("library-description", 32, "e"),
        ])
    func tooLong(attribute: String, limit: Int, part: String) throws {
        let unit = part == "é" ? 2 : 1
        func uri(_ count: Int) -> String { "pkcs11:\(attribute)=" + String(repeating: part, count: count) }
        #expect(throws: Never.self) { try TokenURI(uri(limit / unit)) }
        let error = try #require(throws: PKCS11Error.self) { try TokenURI(uri(limit / unit + 1)) }
        #expect(error.code == .uriMalformed)
        #expect(error.message == "the token URI has a \(attribute) of \(limit + unit) bytes, and a token's has \(limit) at most")
    }

    @Test(
        "a PIN in a URI is refused and not repeated", arguments: ["pkcs11:token=a?pin-value=4711", "pkcs11:%zz?pin-value=4711"])
    func pin(text: String) throws {
        let error = try #require(throws: PKCS11Error.self) { try TokenURI(text) }
        #expect(error.code == .uriMalformed)
        #expect(!"\(error) \(error.message) \(error.hint ?? "")".contains("4711"))
    }

    @Test("a token is found by label, by serial number and as the only one")
    func found() throws {
        try SoftHSMToken.with(label: "seal") { token in
            let module = try token.module()
            let slot = try module.findSlot(matching: TokenURI("pkcs11:token=seal"))
            let serial = try slot.tokenInfo().serialNumber
            #expect(try module.findSlot(matching: TokenURI("pkcs11:serial=\(serial)")) == slot)
            #expect(try module.findSlot(matching: TokenURI("pkcs11:slot-id=\(slot.id)")) == slot)
            #expect(try module.findSlot(matching: TokenURI("pkcs11:")) == slot)
        }
    }

    @Test("when none matches, the error names what is there")
    func none() throws {
        try SoftHSMToken.with(label: "seal") { token in
            let module = try token.module()
            let error = #expect(throws: PKCS11Error.self) {
                try module.findSlot(matching: TokenURI("pkcs11:token=other"))
            }
            #expect(error?.code == .tokenNotFound)
            #expect(error?.message.contains("\"seal\"") == true)
            #expect(error?.message.contains("pkcs11:token=other") == true)
        }
    }

    @Test("when two match, the error names both, and a serial number tells them apart")
    func ambiguous() throws {
        try SoftHSMToken.with(label: "seal") { token in
            let module = try token.module()
            try token.addToken(label: "seal")
            let error = #expect(throws: PKCS11Error.self) {
                try module.findSlot(matching: TokenURI("pkcs11:token=seal"))
            }
            #expect(error?.code == .tokenAmbiguous)
            let serials = try module.slots().map { try $0.tokenInfo() }.filter { $0.label == "seal" }.map(\.serialNumber)
            #expect(serials.count == 2)
            for serial in serials {
                #expect(error?.message.contains(serial) == true)
                let slot = try module.findSlot(matching: TokenURI("pkcs11:token=seal;serial=\(serial)"))
                #expect(try slot.tokenInfo().serialNumber == serial)
            }
        }
    }
}
