import Foundation
import PKCS11
import SoftHSMSupport
import Testing

@Suite("Session")
struct SessionTests {
    @Test("a wrong PIN is named with the function that refused it")
    func wrongPIN() throws {
        try SoftHSMToken.with { token in
            let error = #expect(throws: PKCS11Error.self) {
                try token.slot().openSession(.readOnly).login(pin: PIN(Array("wrong PIN".utf8)))
            }
            #expect(error?.returnValue == .pinIncorrect)
            #expect(error?.function == "C_Login")
            #expect(error?.message.hasPrefix("C_Login: CKR_PIN_INCORRECT") == true)
            #expect(error?.hint != nil)
        }
    }

    @Test("logging in and out shows in the state of every session")
    func state() throws {
        try SoftHSMToken.with { token in
            let reader = try token.slot().openSession(.readOnly)
            let writer = try token.slot().openSession(.readWrite)
            #expect(try reader.info().state == .readOnlyPublic)
            #expect(try writer.info().state == .readWritePublic)
            try reader.login(pin: token.pin())
            #expect(try reader.info().state == .readOnlyUser)
            #expect(try writer.info().state == .readWriteUser)
            #expect(try writer.info().state.isUserLoggedIn)
            #expect(try writer.info().slotID == writer.slot.id)
            let error = #expect(throws: PKCS11Error.self) {
                try token.slot().openSession(.readOnly).login(pin: token.pin())
            }
            #expect(error?.returnValue == .userAlreadyLoggedIn)
            try writer.logout()
            #expect(try !reader.info().state.isUserLoggedIn)
        }
    }

    @Test("a session ends with its scope, and with it, as the last one, the login")
    func scope() throws {
        try SoftHSMToken.with { token in
            do {
                let session = try token.session()
                #expect(try session.info().state.isUserLoggedIn)
            }
            let next = try token.slot().openSession(.readOnly)
            #expect(try next.info().state == .readOnlyPublic)
            try next.close()
        }
    }

    @Test("an abandoned session is not closed")
    func abandoned() throws {
        try SoftHSMToken.with { token in
            try token.session().abandon()
            // Still logged in, because a session is still open.
            #expect(try token.slot().openSession(.readOnly).info().state == .readOnlyUser)
        }
    }

    @Test("a read-only session makes and destroys no key")
    func readOnly() throws {
        try SoftHSMToken.with { token in
            let writer = try token.session()
            let pair = try writer.generateKeyPair(.ec(.p256), id: [1], label: "key")
            let slot = writer.slot
            for attempt: (borrowing Session) throws -> Void in [
                { try $0.destroyObject(pair.privateKey) },
                { _ = try $0.generateKeyPair(.ec(.p256), id: [2], label: "key") },
            ] {
                let error = #expect(throws: PKCS11Error.self) { try attempt(slot.openSession(.readOnly)) }
                #expect(error?.returnValue == .sessionReadOnly)
            }
        }
    }

    @Test("a session opened here signs on another thread")
    func handedOver() async throws {
        try await SoftHSMToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            let signature = try await sign(on: session, key: pair.privateKey)
            #expect(signature.count == 64)
        }
    }
}

/// Runs on whatever thread the pool gives it: that it compiles is half the test.
@concurrent
private func sign(on session: consuming sending Session, key: ObjectHandle) async throws -> [UInt8] {
    try session.sign([UInt8](repeating: 7, count: 32), with: .ecdsa, key: key)
}
