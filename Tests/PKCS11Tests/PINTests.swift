import PKCS11
import Testing

@Suite("PIN")
struct PINTests {
    @Test("no way of printing a PIN shows it")
    func hidden() {
        let pin = PIN(Array("4711-secret".utf8))
        var dumped = ""
        dump(pin, to: &dumped)
        let holder = (name: "holder", pin: pin)
        for text in ["\(pin)", pin.debugDescription, String(reflecting: pin), dumped, "\(holder)", "\(Optional(pin) as Any)"] {
            #expect(!text.contains("4711"))
            // Nor as numbers: 4 is 52.
            #expect(!text.contains("52"))
        }
        #expect(Mirror(reflecting: pin).children.isEmpty)
    }

    @Test("making a PIN can wipe where it came from")
    func wiping() {
        var bytes = Array("4711".utf8)
        let pin = PIN(wiping: &bytes)
        #expect(bytes == [0, 0, 0, 0])
        #expect(!pin.isEmpty)
    }

    @Test("an empty PIN says so")
    func empty() {
        #expect(PIN([]).isEmpty)
    }
}
