import FaultyTokenSupport
import PKCS11
import Testing

@Suite("An action")
struct ActionTests {
    @Test("return= takes the place of the call")
    func returns() async throws {
        try await FaultyToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            try token.set("C_Sign return=CKR_DEVICE_REMOVED count=1")
            #expect(throws: PKCS11Error(function: "C_Sign", .deviceRemoved)) {
                try session.sign([UInt8](repeating: 7, count: 32), with: .ecdsa, key: pair.privateKey)
            }
            _ = try session.sign([UInt8](repeating: 7, count: 32), with: .ecdsa, key: pair.privateKey)
            #expect(try token.count("C_Sign:fault") == 1)
        }
    }
}
