import Platform
import Testing

@Suite("An error with a code")
struct CodedErrorTests {
    @Test("is equal to one of the same code, whatever either says, and is shown by its message")
    func equality() {
        let error = PlatformError(.missing, "there is no /a", hint: "make it")
        #expect(error == PlatformError(.missing, "there is no /b", hint: "find it"))
        #expect(error != PlatformError(.denied, "there is no /a", hint: "make it"))
        #expect("\(error)" == "there is no /a")
    }
}
