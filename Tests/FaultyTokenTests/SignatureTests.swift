import Crypto
import FaultyTokenSupport
import PKCS11
import Testing

@Suite("A signature")
struct SignatureTests {
    @Test("is broken on command, and only then")
    func corrupt() async throws {
        try await FaultyToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            guard case .ec(_, let point) = try session.publicKey(of: pair.publicKey) else {
                Issue.record("the key is no EC key")
                return
            }
            let key = try P256.Signing.PublicKey(x963Representation: point)
            let message = Array("carried to its keeper".utf8)
            func isGood(_ session: borrowing Session) throws -> Bool {
                let signature = try session.sign(Array(SHA256.hash(data: message)), with: .ecdsa, key: pair.privateKey)
                return key.isValidSignature(try .init(rawRepresentation: signature), for: message)
            }
            #expect(try isGood(session))
            try token.set("C_Sign corrupt nth=2 count=1")
            #expect(try isGood(session))
            #expect(try !isGood(session))
            #expect(try isGood(session))
        }
    }

    @Test("that was made to fail is over: the session signs again at once")
    func isOver() async throws {
        try await FaultyToken.with { token in
            let session = try token.session()
            let key = try session.generateKeyPair(.rsa(modulusBits: 2048), id: [1], label: "key").privateKey
            try token.set("C_Sign return=CKR_DATA_LEN_RANGE count=1")
            #expect(throws: PKCS11Error(function: "C_Sign", .dataLenRange)) {
                try session.sign(Use.digest, with: .rsaPKCS, key: key)
            }
            #expect(try session.sign(Use.digest, with: .rsaPKCS, key: key).count == 256)
        }
    }

    @Test("whose room was said to be too small is still under way")
    func tooSmall() async throws {
        try await FaultyToken.with { token in
            let session = try token.session()
            let key = try session.generateKeyPair(.ec(.p256), id: [1], label: "key").privateKey
            try token.set("C_Sign return=CKR_BUFFER_TOO_SMALL count=2")
            #expect(try session.sign(Use.digest, with: .ecdsa, key: key).count == 64)
            #expect(try token.count("C_Sign") == 3)
            #expect(try token.count("C_SignInit") == 1)
        }
    }
}
