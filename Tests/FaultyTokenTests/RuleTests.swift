import FaultyTokenSupport
import PKCS11
import Testing

@Suite("A rule")
struct RuleTests {
    /// What is done under a rule, in this order, and what comes of it.
    struct Case: CustomTestStringConvertible {
        let rule: String
        let uses: [(Use, String)]

        init(_ rule: String, _ uses: (Use, String)...) {
            self.rule = rule
            self.uses = uses
        }

        var testDescription: String { rule }
    }

    @Test(
        "does to calls what it says",
        arguments: [
            Case(
                "", (.sign, "64 bytes"), (.find, "2 objects"),
                (.token, "privyseal-test, any sessions, initialised, with PIN, random")),
            Case("C_Sign return=CKR_DEVICE_REMOVED", (.sign, "C_Sign: CKR_DEVICE_REMOVED"), (.find, "2 objects")),
            Case("C_Sign return=0x80000042", (.sign, "C_Sign: 0x80000042")),
            Case(
                "* return=CKR_GENERAL_ERROR", (.sign, "C_FindObjectsInit: CKR_GENERAL_ERROR"),
                (.token, "C_GetTokenInfo: CKR_GENERAL_ERROR")),
            Case(
                "C_DestroyObject return=CKR_DEVICE_ERROR", (.destroy, "C_DestroyObject: CKR_DEVICE_ERROR"), (.find, "2 objects")),
            Case(
                "C_DestroyObject return-after=CKR_DEVICE_ERROR", (.destroy, "C_DestroyObject: CKR_DEVICE_ERROR"),
                (.find, "1 objects")),
            Case(
                "C_GenerateKeyPair return-after=CKR_GENERAL_ERROR", (.generate, "C_GenerateKeyPair: CKR_GENERAL_ERROR"),
                (.find, "4 objects")),
            Case("C_Sign delay=1ms", (.sign, "64 bytes")),
            Case("C_SignInit logout", (.sign, "C_SignInit: CKR_OBJECT_HANDLE_INVALID"), (.find, "1 objects")),
            Case(
                "C_SignInit invalidate-sessions count=1", (.sign, "C_SignInit: CKR_SESSION_HANDLE_INVALID"),
                (.openReadOnly, "done")),
            Case(
                "C_SignInit invalidate-objects count=1", (.sign, "C_SignInit: CKR_KEY_HANDLE_INVALID"), (.sign, "64 bytes"),
                (.signWithOldHandle, "C_SignInit: CKR_KEY_HANDLE_INVALID"),
                (.destroy, "C_DestroyObject: CKR_OBJECT_HANDLE_INVALID"),
                (.readID, "C_GetAttributeValue: CKR_OBJECT_HANDLE_INVALID")),
            Case("C_SignInit invalidate-objects=CKR_OBJECT_HANDLE_INVALID", (.sign, "C_SignInit: CKR_OBJECT_HANDLE_INVALID")),
            // Conditions
            Case(
                "C_Sign return=CKR_DEVICE_ERROR nth=2", (.sign, "64 bytes"), (.sign, "C_Sign: CKR_DEVICE_ERROR"),
                (.sign, "C_Sign: CKR_DEVICE_ERROR")),
            Case("C_Sign return=CKR_DEVICE_ERROR count=1", (.sign, "C_Sign: CKR_DEVICE_ERROR"), (.sign, "64 bytes")),
            Case(
                "C_Sign return=CKR_DEVICE_ERROR nth=2 count=1", (.sign, "64 bytes"), (.sign, "C_Sign: CKR_DEVICE_ERROR"),
                (.sign, "64 bytes")),
            Case(
                "C_Sign return=CKR_DEVICE_ERROR every=2 count=2", (.sign, "C_Sign: CKR_DEVICE_ERROR"), (.sign, "64 bytes"),
                (.sign, "C_Sign: CKR_DEVICE_ERROR"), (.sign, "64 bytes"), (.sign, "64 bytes")),
            Case("C_Sign return=CKR_DEVICE_ERROR for=1us", (.find, "2 objects"), (.sign, "64 bytes")),
            Case("C_Sign return=CKR_DEVICE_ERROR for=1000s", (.sign, "C_Sign: CKR_DEVICE_ERROR")),
            Case(
                "C_Sign return=CKR_DEVICE_ERROR session=first", (.sign, "C_Sign: CKR_DEVICE_ERROR"),
                (.sign, "C_Sign: CKR_DEVICE_ERROR")),
            Case("C_Sign return=CKR_DEVICE_ERROR session=0xffff", (.sign, "64 bytes")),
            Case("C_Sign return=CKR_DEVICE_ERROR key-id=01", (.sign, "C_Sign: CKR_DEVICE_ERROR")),
            Case("C_SignInit return=CKR_DEVICE_ERROR key-id=01", (.sign, "C_SignInit: CKR_DEVICE_ERROR")),
            Case("C_Sign return=CKR_DEVICE_ERROR key-id=02", (.sign, "64 bytes")),
            Case("C_Sign return=CKR_DEVICE_ERROR mechanism=CKM_ECDSA", (.sign, "C_Sign: CKR_DEVICE_ERROR")),
            Case("C_SignInit return=CKR_DEVICE_ERROR mechanism=CKM_ECDSA", (.sign, "C_SignInit: CKR_DEVICE_ERROR")),
            Case("C_Sign return=CKR_DEVICE_ERROR mechanism=CKM_RSA_PKCS", (.sign, "64 bytes")),
            // The token
            Case("C_GetTokenInfo label=another", (.token, "another, any sessions, initialised, with PIN, random")),
            Case(
                "* flags=CKF_USER_PIN_COUNT_LOW",
                (.token, "privyseal-test, any sessions, initialised, with PIN, PIN count low, random")),
            Case("* clear-flags=CKF_RNG|CKF_USER_PIN_INITIALIZED", (.token, "privyseal-test, any sessions, initialised")),
            Case("* blank", (.token, "privyseal-test, any sessions, random"), (.find, "0 objects"), (.sign, "OBJECT_NOT_FOUND")),
            Case("C_GetTokenInfo blank", (.find, "0 objects")),
            Case(
                "* absent", (.slots, "0 of 2"), (.token, "C_GetTokenInfo: CKR_TOKEN_NOT_PRESENT"),
                (.openReadOnly, "C_OpenSession: CKR_TOKEN_NOT_PRESENT"),
                (.mechanisms, "C_GetMechanismList: CKR_TOKEN_NOT_PRESENT")),
            Case(
                "* sessions=1", (.token, "privyseal-test, 1 sessions, initialised, with PIN, random"),
                (.openReadOnly, "C_OpenSession: CKR_SESSION_COUNT")),
            Case("* sessions=2", (.openReadOnly, "done"), (.openReadOnly, "done")),
            Case(
                "* write-protected", (.token, "privyseal-test, any sessions, initialised, with PIN, write-protected, random"),
                (.openReadWrite, "C_OpenSession: CKR_TOKEN_WRITE_PROTECTED"), (.openReadOnly, "done"),
                (.generate, "C_GenerateKeyPair: CKR_TOKEN_WRITE_PROTECTED"),
                (.destroy, "C_DestroyObject: CKR_TOKEN_WRITE_PROTECTED"),
                (.sign, "64 bytes")),
            Case("* object-limit=3", (.generate, "C_GenerateKeyPair: CKR_DEVICE_MEMORY"), (.find, "2 objects")),
            Case(
                "* object-limit=4", (.generate, "done"), (.generate, "C_GenerateKeyPair: CKR_DEVICE_MEMORY"), (.sign, "64 bytes")),
            Case(
                "* hide-mechanism=CKM_ECDSA", (.mechanisms, "without ECDSA"),
                (.mechanism, "C_GetMechanismInfo: CKR_MECHANISM_INVALID"),
                (.sign, "C_SignInit: CKR_MECHANISM_INVALID")),
            Case(
                "* hide-mechanism=CKM_EC_KEY_PAIR_GEN", (.mechanisms, "with ECDSA"),
                (.generate, "C_GenerateKeyPair: CKR_MECHANISM_INVALID")),
            Case("* no-attribute=CKA_SENSITIVE", (.readSensitive, "none"), (.readID, "[1]")),
            Case("* attribute=CKA_SENSITIVE:false attribute=CKA_ID:0a0b", (.readSensitive, "false"), (.readID, "[10, 11]")),
            Case("* attribute=CKA_SENSITIVE:false no-attribute=CKA_ID key-id=02", (.readSensitive, "true"), (.readID, "[1]")),
            Case("", (.readPoint, "67 bytes")),
            Case("* raw-point", (.readPoint, "65 bytes")),
            Case("", (.readLongPoint, "[4, 129, 133], 136 bytes")),
            Case("* short-point", (.readPoint, "67 bytes"), (.readLongPoint, "[4, 133, 4], 135 bytes")),
            Case("", (.freeMemory, "unknown, unknown")),
            Case("* free-memory=512", (.freeMemory, "512, 512")),
            Case(
                "* pair-limit=2", (.generate, "done"), (.generate, "C_GenerateKeyPair: CKR_GENERAL_ERROR"), (.sign, "64 bytes")),
            Case(
                "* refuse-template=CKA_DECRYPT", (.generate, "C_GenerateKeyPair: CKR_GENERAL_ERROR"),
                (.generateAllowedOnly, "done")),
        ])
    func does(case: Case) async throws {
        try await FaultyToken.with { token in
            let slot = try token.slot()
            let session = try token.session()
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            try token.set(`case`.rule)
            for (use, outcome) in `case`.uses {
                #expect(use.outcome(slot, session, pair) == outcome, "\(use.rawValue)")
            }
            try token.clear()
        }
    }

    @Test(
        "without a meaning is refused loudly: every call fails until it is gone",
        arguments: [
            "C_Nothing return=CKR_OK", "C_Sign", "C_Sign return=CKR_NOTHING", "C_Sign return",
            "C_Sign return=CKR_OK return=CKR_OK",
            "C_Sign delay=5", "C_Sign hold nth=0", "C_Sign hold every=0", "C_Sign blank", "* hide-mechanism=CKM_NOTHING",
            "* attribute=CKA_ID",
            "* hold for=", "C_Sign hold until=", "C_Sign hold until=C_Nothing",
            "C_Sign return=0x", "C_Sign return=CKR_OK key-id=0", "C_Sign return=CKR_OK session=second", "* flags=CKF_NOTHING",
            "* serial=12345678901234567", "C_Sign return=CKR_OK sometimes",
        ])
    func isRefused(rule: String) async throws {
        try await FaultyToken.with { token in
            let slot = try token.slot()
            try token.set("# a comment", "", rule)
            #expect(throws: PKCS11Error(function: "C_GetTokenInfo", ReturnValue(rawValue: 0x8000_0066))) { try slot.tokenInfo() }
            try token.clear()
            _ = try slot.tokenInfo()
        }
    }

    @Test("goes on counting while its line stays, whatever becomes of the others")
    func counting() async throws {
        try await FaultyToken.with { token in
            let slot = try token.slot()
            func isRefused() -> Bool { (try? slot.tokenInfo()) == nil }
            let rule = "C_GetTokenInfo return=CKR_DEVICE_ERROR nth=2 count=2"
            try token.set(rule)
            #expect(!isRefused())
            try token.set("# something else", rule, "C_Sign corrupt")
            #expect(isRefused())
            try token.set(rule)
            #expect(isRefused())
            #expect(!isRefused())
            try token.clear()
            #expect(!isRefused())
            try token.set(rule)
            #expect(!isRefused())
            #expect(isRefused(), "it is another rule when it comes back")
        }
    }

    @Test("until another function is called ends with that, and not with a call of it before")
    func until() async throws {
        try await FaultyToken.with { token in
            let slot = try token.slot()
            func isRefused() -> Bool { (try? slot.tokenInfo()) == nil }
            try token.set("C_GetTokenInfo return=CKR_DEVICE_ERROR until=C_GetMechanismList")
            _ = try slot.mechanisms()
            #expect(isRefused() && isRefused())
            _ = try slot.mechanisms()
            #expect(!isRefused() && !isRefused())
        }
    }

    @Test("for one session leaves the others alone")
    func oneSession() async throws {
        try await FaultyToken.with { token in
            let one = try token.session()
            let other = try token.session()
            let key = try one.generateKeyPair(.ec(.p256), id: [1], label: "key").privateKey
            try token.set("C_SignInit return=CKR_SESSION_CLOSED session=first")
            for _ in 1...2 {
                #expect(throws: PKCS11Error(function: "C_SignInit", .sessionClosed)) {
                    try one.sign(Use.digest, with: .ecdsa, key: key)
                }
                _ = try other.sign(Use.digest, with: .ecdsa, key: key)
            }
            try token.set("C_SignInit return=CKR_SESSION_CLOSED session=\(other.handle)")
            _ = try one.sign(Use.digest, with: .ecdsa, key: key)
            #expect(throws: PKCS11Error(function: "C_SignInit", .sessionClosed)) {
                try other.sign(Use.digest, with: .ecdsa, key: key)
            }
        }
    }

    @Test("that has every list too long for its room ends the reading of it")
    func endlessList() async throws {
        try await FaultyToken.with { token in
            let slot = try token.slot()
            try token.set("C_GetMechanismList return=CKR_BUFFER_TOO_SMALL nth=2 every=2")
            #expect(throws: PKCS11Error(function: "C_GetMechanismList", .bufferTooSmall)) { try slot.mechanisms() }
        }
    }

    @Test("shows another serial number")
    func serial() async throws {
        try await FaultyToken.with { token in
            let slot = try token.slot()
            let serial = try slot.tokenInfo().serialNumber
            try token.set("* serial=0815")
            #expect(try slot.tokenInfo().serialNumber == "0815")
            try token.clear()
            #expect(try slot.tokenInfo().serialNumber == serial)
        }
    }
}
