import PKCS11
import Testing

@Suite("Errors")
struct ErrorTests {
    @Test(
        "a return value has the standard's name and number",
        arguments: [
            (ReturnValue.ok, 0, "CKR_OK"), (.generalError, 5, "CKR_GENERAL_ERROR"),
            (.deviceRemoved, 0x32, "CKR_DEVICE_REMOVED"), (.objectHandleInvalid, 0x82, "CKR_OBJECT_HANDLE_INVALID"),
            (.pinIncorrect, 0xA0, "CKR_PIN_INCORRECT"), (.pinLocked, 0xA4, "CKR_PIN_LOCKED"),
            (.sessionHandleInvalid, 0xB3, "CKR_SESSION_HANDLE_INVALID"),
            (.unwrappingKeyHandleInvalid, 0xF0, "CKR_UNWRAPPING_KEY_HANDLE_INVALID"),
            (.userNotLoggedIn, 0x101, "CKR_USER_NOT_LOGGED_IN"), (.curveNotSupported, 0x140, "CKR_CURVE_NOT_SUPPORTED"),
            (.bufferTooSmall, 0x150, "CKR_BUFFER_TOO_SMALL"),
            (.cryptokiNotInitialized, 0x190, "CKR_CRYPTOKI_NOT_INITIALIZED"),
            (.functionRejected, 0x200, "CKR_FUNCTION_REJECTED"),
        ])
    func names(value: ReturnValue, number: UInt, name: String) {
        #expect(value.rawValue == number)
        #expect(value.name == name)
        #expect(!value.isVendorDefined)
    }

    @Test("an unknown code is shown in hexadecimal")
    func unknown() {
        let value = ReturnValue(rawValue: 0x8000_0ABC)
        #expect(value.name == "0x80000abc")
        #expect(value.isVendorDefined)
        #expect(value.explanation == nil)
        #expect(PKCS11Error(function: "C_Sign", value).message == "C_Sign: 0x80000abc")
    }

    @Test("an error names function and return value, and is equal by code")
    func error() {
        let error = PKCS11Error(function: "C_Sign", .pinLocked)
        #expect("\(error)".hasPrefix("C_Sign: CKR_PIN_LOCKED"))
        #expect(error == PKCS11Error(function: "C_Login", .pinLocked))
        #expect(error != PKCS11Error(function: "C_Sign", .pinIncorrect))
        #expect(error.code.name == "CKR_PIN_LOCKED")
        #expect(PKCS11Error(.tokenNotFound, "none") == PKCS11Error(.tokenNotFound, "not one"))
        #expect(PKCS11Error(.tokenNotFound, "none").returnValue == nil)
    }
}
