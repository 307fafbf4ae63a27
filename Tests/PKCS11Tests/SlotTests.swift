import PKCS11
import SoftHSMSupport
import Testing

@Suite("Slot")
struct SlotTests {
    @Test("a token's information comes without padding")
    func tokenInfo() throws {
        try SoftHSMToken.with(label: "two words") { token in
            let info = try token.slot().tokenInfo()
            #expect(info.label == "two words")
            #expect(info.manufacturerID == "SoftHSM project")
            #expect(info.model == "SoftHSM v2")
            #expect(info.serialNumber.count == 16)
            #expect(info.flags.isSuperset(of: [.tokenInitialized, .userPINInitialized, .loginRequired]))
            #expect(info.flags.isDisjoint(with: [.writeProtected, .userPINLocked, .userPINCountLow]))
            #expect(info.maximumSessions == .unlimited)
            #expect(info.openSessions == nil)
            #expect(info.pinLengths == 4...255)
        }
    }

    @Test("a wrong PIN leaves its mark on the token's flags")
    func pinCountLow() throws {
        try SoftHSMToken.with { token in
            let slot = try token.slot()
            let session = try slot.openSession(.readOnly)
            try? session.login(pin: PIN(Array("wrong PIN".utf8)))
            #expect(try slot.tokenInfo().flags.contains(.userPINCountLow))
        }
    }

    @Test("a token lists its mechanisms and says what they can do")
    func mechanisms() throws {
        try SoftHSMToken.with { token in
            let slot = try token.slot()
            let types = try Set(slot.mechanisms())
            #expect(
                types.isSuperset(of: [.rsaPKCS, .rsaPKCSPSS, .ecdsa, .rsaPKCSKeyPairGeneration, .ecKeyPairGeneration]))
            let info = try slot.mechanismInfo(.rsaPKCS)
            #expect(info.flags.isSuperset(of: [.sign, .verify]))
            #expect(info.maximumKeySize >= 4096)
            let error = #expect(throws: PKCS11Error.self) {
                try slot.mechanismInfo(MechanismType(rawValue: 0x8000_1234))
            }
            #expect(error?.returnValue == .mechanismInvalid)
        }
    }

    @Test("a slot that does not exist is refused by the module")
    func noSlot() throws {
        try SoftHSMToken.with { token in
            let slot = Slot(module: try token.module(), id: 999_999)
            let error = #expect(throws: PKCS11Error.self) { try slot.tokenInfo() }
            #expect(error?.returnValue == .slotIDInvalid)
            #expect(error?.hint != nil)
        }
    }
}
