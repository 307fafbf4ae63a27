import Platform
import Testing

@Suite struct AccountTests {
    @Test("root is user and group 0")
    func root() throws {
        #expect(try UserAccount(named: "root").uid == 0)
        #expect(try UserAccount(named: "root").gid == 0)
        #expect(try GroupAccount(named: "root").gid == 0)
    }

    @Test(
        "a number is taken as one, whoever has it, and a name is looked up",
        arguments: [("0", 0), ("root", 0), ("4294967294", 4_294_967_294), ("007", 7)])
    func numbers(text: String, number: UInt32) throws {
        #expect(try UserAccount.number(of: text) == number)
        #expect(try GroupAccount.number(of: text) == number)
    }

    @Test(
        "what would leave the group as it is, is too high, or is no number, is nobody's",
        arguments: ["4294967295", "4294967296", "99999999999999999999", "-1", "+5", "", "1 "])
    func noNumber(text: String) {
        #expect(throws: PlatformError(.unknownAccount, "", hint: "")) { try UserAccount.number(of: text) }
        #expect(throws: PlatformError(.unknownAccount, "", hint: "")) { try GroupAccount.number(of: text) }
    }

    @Test("a name nobody has is an error that says it", arguments: ["no-such-account-privyseal", ""])
    func unknown(name: String) {
        let user = #expect(throws: PlatformError.self) { try UserAccount(named: name) }
        #expect(user?.code == .unknownAccount)
        #expect(user?.message.contains("\"\(name)\"") == true)
        #expect(throws: PlatformError(.unknownAccount, "", hint: "")) { try GroupAccount(named: name) }
    }
}
