import PKCS11
import SoftHSMSupport
import Testing
import TokenProvisioning

// One after the other: libp11 is for one thread.
@Suite("Token provisioner", .serialized)
struct TokenProvisionerTests {
    static let securityOfficerPIN = Array("security officer".utf8)
    static let userPIN = Array("the user's".utf8)

    private func provision(_ token: SoftHSMToken, label: String = "seal") throws -> ProvisioningSlot {
        try provisioning(token) {
            try $0.initialize(
                label: label, securityOfficerPIN: TokenPIN(Self.securityOfficerPIN), userPIN: TokenPIN(Self.userPIN))
        }
    }

    /// Calls with a provisioner while no other test initialises a module.
    private func provisioning<Result>(
        _ token: SoftHSMToken, _ body: (TokenProvisioner) throws -> Result
    ) rethrows -> Result {
        try SoftHSMToken.whileNoneInitializes { try body(TokenProvisioner(modulePath: token.modulePath)) }
    }

    /// What Cryptoki says to a login as the user; nil when it works.
    private func login(_ token: SoftHSMToken, label: String, pin: [UInt8]) throws -> ReturnValue? {
        let module = try token.module()
        defer { try? module.finalize() }
        let slot = try module.findSlot(matching: TokenURI("pkcs11:token=\(label)"))
        let session = try slot.openSession(.readOnly)
        do throws(PKCS11Error) {
            try session.login(pin: PIN(pin))
            return nil
        } catch {
            return error.returnValue
        }
    }

    @Test(
        "a token that was initialised is one the agent's side can use",
        arguments: ["s", "seal", "a label of thirty-two bytes, now"])
    func initialize(label: String) throws {
        try SoftHSMToken.with { token in
            let slot = try provision(token, label: label)
            #expect(slot.token?.label == label)
            #expect(slot.token?.isInitialized == true)
            #expect(slot.token?.isUserPINSet == true)

            let module = try token.module()
            let info = try module.slots().map { try $0.tokenInfo() }.filter { $0.label == label }
            #expect(info.count == 1)
            #expect(info.first?.serialNumber == slot.token?.serialNumber)
            #expect(info.first?.flags.isSuperset(of: [.tokenInitialized, .userPINInitialized]) == true)
            let session = try module.findSlot(matching: TokenURI("pkcs11:serial=\(info[0].serialNumber)"))
                .openSession(.readWrite)
            try session.login(pin: PIN(Self.userPIN))
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            #expect(try session.custody(of: pair.privateKey).extractable == false)
        }
    }

    @Test("the slots show the tokens in them, initialised or not")
    func slots() throws {
        try SoftHSMToken.with(label: "there before") { token in
            let slots = try provisioning(token) { try $0.slots() }
            #expect(slots.count == 2)
            let present = slots.first { $0.token?.label == "there before" }?.token
            #expect(present?.isInitialized == true)
            #expect(present?.isUserPINSet == true)
            #expect(present?.isUserPINLocked == false)
            #expect(present?.isWriteProtected == false)
            #expect(present?.manufacturerID == "SoftHSM project")
            #expect(slots.contains { $0.token?.isInitialized == false })
        }
    }

    @Test("a label that is taken is refused, and the token keeps its keys")
    func taken() throws {
        try SoftHSMToken.with { token in
            _ = try provision(token)
            let error = #expect(throws: ProvisioningError.self) { try provision(token) }
            #expect(error?.code == .tokenInitialized)
            #expect(error?.message.contains("\"seal\"") == true)
            #expect(try login(token, label: "seal", pin: Self.userPIN) == nil)
        }
    }

    @Test("an initialised token is initialised again only by force, and only with its security officer's PIN")
    func force() throws {
        try SoftHSMToken.with { token in
            let slot = try provision(token).id
            let newPIN = Array("another one".utf8)
            func again(_ officer: [UInt8], force: Bool) throws {
                _ = try provisioning(token) {
                    try $0.initialize(
                        slot: slot, label: "renamed", securityOfficerPIN: TokenPIN(officer), userPIN: TokenPIN(newPIN),
                        force: force)
                }
            }
            let refused = #expect(throws: ProvisioningError.self) { try again(Self.securityOfficerPIN, force: false) }
            #expect(refused?.code == .tokenInitialized)
            let wrong = #expect(throws: ProvisioningError.self) { try again(Array("wrong".utf8), force: true) }
            #expect(wrong?.code == .pinIncorrect)
            #expect(wrong?.function == "PKCS11_init_token")
            #expect(try login(token, label: "seal", pin: Self.userPIN) == nil)

            try again(Self.securityOfficerPIN, force: true)
            #expect(try login(token, label: "renamed", pin: newPIN) == nil)
        }
    }

    @Test("force without a slot destroys nothing")
    func forceWithoutSlot() throws {
        try SoftHSMToken.with { token in
            let error = #expect(throws: ProvisioningError.self) {
                try provisioning(token) {
                    try $0.initialize(
                        label: "seal", securityOfficerPIN: TokenPIN(Self.securityOfficerPIN),
                        userPIN: TokenPIN(Self.userPIN), force: true)
                }
            }
            #expect(error?.code == .tokenNotFound)
        }
    }

    @Test("the user's PIN is changed by whoever knows it")
    func changeUserPIN() throws {
        try SoftHSMToken.with { token in
            _ = try provision(token)
            let newPIN = Array("new PIN".utf8)
            let error = #expect(throws: ProvisioningError.self) {
                try provisioning(token) {
                    try $0.changeUserPIN(
                        of: .label("seal"), from: TokenPIN(Array("wrong".utf8)), to: TokenPIN(newPIN))
                }
            }
            #expect(error?.code == .pinIncorrect)
            #expect(error?.message.hasPrefix("PKCS11_change_pin: CKR_PIN_INCORRECT") == true)
            #expect(error?.hint != nil)
            #expect(try login(token, label: "seal", pin: newPIN) == .pinIncorrect)

            try provisioning(token) {
                try $0.changeUserPIN(of: .label("seal"), from: TokenPIN(Self.userPIN), to: TokenPIN(newPIN))
            }
            #expect(try login(token, label: "seal", pin: newPIN) == nil)
            #expect(try login(token, label: "seal", pin: Self.userPIN) == .pinIncorrect)
        }
    }

    @Test("the security officer sets a new user PIN, and changes their own")
    func securityOfficer() throws {
        try SoftHSMToken.with { token in
            let slot = try provision(token).id
            let (newOfficerPIN, newPIN) = (Array("new officer".utf8), Array("new user".utf8))
            try provisioning(token) {
                try $0.changeSecurityOfficerPIN(
                    of: .slot(slot), from: TokenPIN(Self.securityOfficerPIN), to: TokenPIN(newOfficerPIN))
            }
            let error = #expect(throws: ProvisioningError.self) {
                try provisioning(token) {
                    try $0.setUserPIN(
                        of: .label("seal"), securityOfficerPIN: TokenPIN(Self.securityOfficerPIN),
                        userPIN: TokenPIN(newPIN))
                }
            }
            #expect(error?.code == .pinIncorrect)
            #expect(error?.function == "PKCS11_login")
            try provisioning(token) {
                try $0.setUserPIN(
                    of: .label("seal"), securityOfficerPIN: TokenPIN(newOfficerPIN), userPIN: TokenPIN(newPIN))
            }
            #expect(try login(token, label: "seal", pin: newPIN) == nil)
        }
    }

    @Test("a PIN the token finds too short is refused by its length")
    func shortPIN() throws {
        try SoftHSMToken.with { token in
            _ = try provision(token)
            let error = #expect(throws: ProvisioningError.self) {
                try provisioning(token) {
                    try $0.changeUserPIN(
                        of: .label("seal"), from: TokenPIN(Self.userPIN), to: TokenPIN(Array("123".utf8)))
                }
            }
            #expect(error?.code == .pinLengthRange)
        }
    }

    @Test("a token that is not there, or there twice, is not guessed at")
    func reference() throws {
        try SoftHSMToken.with(label: "twin") { token in
            _ = try token.module()
            try token.addToken(label: "twin")
            try token.module().finalize()
            for (reference, code) in [
                (TokenReference.label("twin"), ProvisioningError.Code.tokenAmbiguous), (.label("none"), .tokenNotFound),
                (.slot(999_999), .tokenNotFound),
            ] {
                let error = #expect(throws: ProvisioningError.self) {
                    try provisioning(token) {
                        try $0.changeUserPIN(
                            of: reference, from: TokenPIN(token.userPIN), to: TokenPIN(Self.userPIN))
                    }
                }
                #expect(error?.code == code)
            }
        }
    }

    @Test("a module that is not there is named, with what to do")
    func missingModule() {
        let error = #expect(throws: ProvisioningError.self) {
            try TokenProvisioner(modulePath: "/nonexistent/libtoken.so").slots()
        }
        #expect(error?.code == .moduleNotLoaded)
        #expect(error?.message.contains("/nonexistent/libtoken.so") == true)
        #expect(error?.hint != nil)
    }

    @Test(
        "a label that Cryptoki would cut or confuse is refused, for what is wrong with it",
        arguments: [
            ("", "is empty"), ("a\nb", "is not printable"), ("ends with a space ", "ends with a space"),
            (String(repeating: "é", count: 17), "has 34 bytes, and a token's has 32 at most"),
        ])
    func label(text: String, fault: String) throws {
        let error = try #require(throws: ProvisioningError.self) {
            try TokenProvisioner(modulePath: "/nonexistent").initialize(
                label: text, securityOfficerPIN: TokenPIN(Self.securityOfficerPIN), userPIN: TokenPIN(Self.userPIN))
        }
        #expect(error.code == .labelInvalid)
        #expect(error.message == "the label \(fault)")
    }
}

@Suite("Token PIN")
struct TokenPINTests {
    @Test("a PIN that would be cut or is none is refused", arguments: [[], [0x34, 0, 0x35]] as [[UInt8]])
    func unusable(bytes: [UInt8]) {
        let error = #expect(throws: ProvisioningError.self) { try TokenPIN(bytes) }
        #expect(error?.code == .pinUnusable)
    }

    @Test("no way of printing a PIN shows it")
    func hidden() throws {
        let pin = try TokenPIN(Array("4711-secret".utf8))
        var dumped = ""
        dump(pin, to: &dumped)
        for text in ["\(pin)", String(reflecting: pin), dumped] {
            #expect(!text.contains("4711") && !text.contains("52"))
        }
    }
}
