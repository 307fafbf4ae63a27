import Foundation
import SoftHSMSupport
import Testing

@testable import PKCS11

@Suite("Module")
struct ModuleTests {
    @Test("a missing file is named, with what to do")
    func missing() {
        let error = #expect(throws: PKCS11Error.self) { try Module(path: "/nonexistent/libtoken.so") }
        #expect(error?.code == .moduleNotLoaded)
        #expect(error?.function == "dlopen")
        #expect(error?.message.contains("/nonexistent/libtoken.so") == true)
        #expect(error?.hint?.isEmpty == false)
    }

    @Test("a file that is no library is no module")
    func noLibrary() {
        let error = #expect(throws: PKCS11Error.self) { try Module(path: "/etc/passwd") }
        #expect(error?.code == .moduleNotLoaded)
    }

    @Test("a library that is no PKCS#11 module says what it lacks")
    func noModule() {
        let error = #expect(throws: PKCS11Error.self) { try Module(path: "libm.so.6") }
        #expect(error?.code == .moduleNotLoaded)
        #expect(error?.message.contains("C_GetFunctionList") == true)
    }

    @Test("every function that is null in the function list is named")
    func nullFunctions() throws {
        let memory = unsafe try #require(calloc(1, 4096))
        defer { unsafe free(memory) }
        let functions = unsafe FunctionList(pointer: .init(OpaquePointer(memory)))
        #expect(functions.missing.contains("C_Initialize"))
        #expect(functions.missing.contains("C_Sign"))
        #expect(functions.missing.count == 23)
    }

    @Test("SoftHSM says who it is")
    func info() throws {
        try SoftHSMToken.with { token in
            let module = try token.module()
            #expect(module.path == token.modulePath)
            #expect(module.cryptokiVersion.major == 2)
            let info = try module.info()
            #expect(info.manufacturerID == "SoftHSM")
            #expect(info.cryptokiVersion.description == "2.40")
        }
    }

    @Test("what is called before C_Initialize fails with a name")
    func notInitialized() throws {
        try SoftHSMToken.with { token in
            let module = try Module(path: token.modulePath)
            let error = #expect(throws: PKCS11Error.self) { try module.slots() }
            #expect(error?.returnValue == .cryptokiNotInitialized)
            #expect(error?.function == "C_GetSlotList")
        }
    }

    @Test("initialising twice is refused, finalising makes it possible again")
    func again() throws {
        try SoftHSMToken.with { token in
            let module = try token.module()
            let error = #expect(throws: PKCS11Error.self) { try module.initialize() }
            #expect(error?.returnValue == .cryptokiAlreadyInitialized)
            try module.finalize()
            try module.initialize()
            #expect(try token.session().info().state == .readWriteUser)
        }
    }

    @Test("a session from before C_Finalize is dead, and does not close the one that has its handle now")
    func staleSession() throws {
        try SoftHSMToken.with { token in
            let fresh: Session
            do {
                let stale = try token.session()
                let module = stale.slot.module
                try module.finalize()
                try module.initialize()
                fresh = try token.session()
                // Without this the test would show nothing.
                #expect(fresh.handle == stale.handle)
                let code: PKCS11Error.Code?
                do throws(PKCS11Error) {
                    _ = try stale.info()
                    code = nil
                } catch {
                    code = error.code
                }
                #expect(code?.returnValue == .sessionHandleInvalid)
            }
            #expect(try fresh.info().state == .readWriteUser)
        }
    }

    @Test("sixteen tokens in one process know nothing of each other")
    func isolation() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<16 {
                group.addTask {
                    try SoftHSMToken.with(label: "token-\(number)") { token in
                        let labels = try token.module().slots().map { try $0.tokenInfo() }
                            .filter { $0.flags.contains(.tokenInitialized) }.map(\.label)
                        #expect(labels == ["token-\(number)"])
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
