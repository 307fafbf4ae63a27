import CCryptoki
import FaultyTokenSupport
import Foundation
import Glibc
import PKCS11
import SoftHSMSupport
import Testing

@Suite("The module")
struct ModuleTests {
    @Test("can lack functions")
    func lacks() async throws {
        try await FaultyToken.with(lacking: ["C_WaitForSlotEvent"]) { token in
            _ = try token.session()
        }
        try await FaultyToken.with(lacking: ["C_Sign", "C_WaitForSlotEvent"]) { token in
            #expect(throws: PKCS11Error(.functionMissing, "")) { _ = try token.session() }
        }
    }

    @Test("is finalised and initialised any number of times, with one state for each copy")
    func lifetimes() async throws {
        try await FaultyToken.with { token in
            try await FaultyToken.with { other in
                _ = try other.session()
                for number in 1...5 {
                    let module = try token.module()
                    let session = try token.session()
                    _ = try session.generateKeyPair(.ec(.p256), id: [UInt8(number)], label: "key")
                    #expect(try session.findObjects([]).count == 2 * number)
                    try token.set("* sessions=1")
                    #expect(throws: PKCS11Error(function: "C_OpenSession", .sessionCount)) {
                        try token.slot().openSession(.readOnly).close()
                    }
                    try token.clear()
                    try module.finalize()
                }
                #expect(try other.count("C_Finalize") == 0)
                #expect(try token.count("C_Finalize") == 5)
            }
        }
    }

    @Test("counts calls by function, by rule, by attribute and by class")
    func counters() async throws {
        try await FaultyToken.with { token in
            let session = try token.session()
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            let before = try token.counters()
            _ = try session.bytes(.id, of: pair.publicKey)
            _ = try session.bytes(AttributeType(rawValue: 0x8000_0001), of: pair.publicKey)
            _ = try session.sign(Use.digest, with: .ecdsa, key: pair.privateKey)
            try token.set("C_Sign return=CKR_DEVICE_ERROR")
            #expect(throws: PKCS11Error.self) { try session.sign(Use.digest, with: .ecdsa, key: pair.privateKey) }
            let counted = try token.counters().merging(before) { $0 - $1 }.filter { $0.value != 0 && before[$0.key] != $0.value }
            #expect(counted["C_Sign"] == 2)
            #expect(counted["C_Sign:fault"] == 1)
            #expect(counted["C_GetAttributeValue:CKA_ID"] == 1)
            #expect(counted["C_GetAttributeValue:0x80000001"] == 1)
            #expect(try token.count("C_CreateObject") == 0)
            #expect(try token.count("C_GenerateKeyPair") == 1)
        }
    }

    @Test("an attribute that is longer than most is asked for its length", arguments: [(512, 1), (513, 3)])
    func longAttribute(length: Int, calls: Int) async throws {
        try await FaultyToken.with { token in
            let session = try token.session()
            let label = String(repeating: "a", count: length)
            let pair = try session.generateKeyPair(.ec(.p256), id: [1], label: label)
            #expect(try session.bytes(.label, of: pair.publicKey) == Array(label.utf8))
            #expect(try token.count("C_GetAttributeValue:CKA_LABEL") == calls)
        }
    }

    /// The name of a class that programs do not create through the `PKCS11` library, so through C.
    @Test("counts what is created by its class", arguments: [(CKO_DATA, "CKO_DATA"), (CKO_PRIVATE_KEY, "CKO_PRIVATE_KEY")])
    func classes(number: UInt, name: String) async throws {
        try await FaultyToken.with { token in
            let session = try token.session()
            let library = unsafe dlopen(token.modulePath, RTLD_NOW)
            let symbol = unsafe try #require(dlsym(library, "C_GetFunctionList"))
            typealias GetFunctionList = @convention(c) (UnsafeMutablePointer<UnsafeMutablePointer<CK_FUNCTION_LIST>?>) -> CK_RV
            var functions: UnsafeMutablePointer<CK_FUNCTION_LIST>?
            #expect(unsafe unsafeBitCast(symbol, to: GetFunctionList.self)(&functions) == CKR_OK)
            var value = CK_ULONG(number)
            var object: CK_OBJECT_HANDLE = 0
            _ = unsafe withUnsafeMutableBytes(of: &value) { value in
                var template = unsafe CK_ATTRIBUTE(type: CK_ATTRIBUTE_TYPE(CKA_CLASS), pValue: value.baseAddress, ulValueLen: 8)
                return unsafe functions!.pointee.C_CreateObject(session.handle, &template, 1, &object)
            }
            #expect(try token.count("C_CreateObject:\(name)") == 1)
        }
    }

    @Test("is not confused by handles of objects found before and after a fault")
    func handles() async throws {
        try await FaultyToken.with { token in
            let session = try token.session()
            _ = try session.generateKeyPair(.ec(.p256), id: [1], label: "key")
            for _ in 1...3 {
                let key = try session.findKey(.privateKey, id: [1])
                #expect(try session.bytes(.id, of: key) == [1])
                try token.set("C_GetTokenInfo invalidate-objects")
                _ = try token.slot().tokenInfo()
                #expect(throws: PKCS11Error(function: "C_GetAttributeValue", .objectHandleInvalid)) {
                    try session.bytes(.id, of: key)
                }
            }
        }
    }

    @Test("says what is wrong with its settings and cannot be used")
    func settings() throws {
        try SoftHSMToken.with { token in
            let path = token.directory + "/faulty.so"
            let built = try FaultyToken(label: "other")
            defer { built.softHSM.remove() }
            let settings = [nil, "control=/tmp/rules\n", "module=/nowhere.so\n", "module=\(token.modulePath)\nlacks=C_Nothing\n"]
            for (number, settings) in settings.enumerated() {
                // Another name for each: a library is loaded once.
                let copy = path + "\(number)"
                try FileManager.default.copyItem(atPath: built.modulePath, toPath: copy)
                if let settings { try settings.write(toFile: copy + ".conf", atomically: true, encoding: .utf8) }
                #expect(throws: PKCS11Error.self, "\(settings ?? "none")") { try Module(path: copy) }
            }
        }
    }
}
