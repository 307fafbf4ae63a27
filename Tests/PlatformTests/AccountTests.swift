import Platform
import Testing

@Suite struct AccountTests {
    @Test("root is user and group 0")
    func root() throws {
        #expect(try UserAccount(named: "root").uid == 0)
        #expect(try UserAccount(named: "root").gid == 0)
        #expect(try GroupAccount(named: "root").gid == 0)
    }

    @Test("a name nobody has is an error that says it", arguments: ["no-such-account-privyseal", ""])
    func unknown(name: String) {
        let user = #expect(throws: PlatformError.self) { try UserAccount(named: name) }
        #expect(user?.code == .unknownAccount)
        #expect(user?.message.contains("\"\(name)\"") == true)
        #expect(throws: PlatformError(.unknownAccount, "", hint: "")) { try GroupAccount(named: name) }
    }
}
