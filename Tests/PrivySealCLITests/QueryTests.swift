import AgentProtocol
import Testing

@testable import privyseal

@Suite("--query")
struct QueryTests {
    static let tree: JSONValue = [
        "profile": ["url": "https://i/", "none": nil], "keys": [["kid": "a"], ["kid": "b"]], "0": "member",
    ]

    @Test(
        "a path leads through members and positions, and to null where there is nothing",
        arguments: [
            ("profile.url", "https://i/"), ("keys.1.kid", "b"), ("keys[1].kid", "b"), ("0", "member"),
            ("profile.none", nil), ("profile.other", nil), ("keys.2.kid", nil), ("keys.kid", nil), ("profile.url.deeper", nil),
        ] as [(String, JSONValue)])
    func leads(path: String, value: JSONValue) throws {
        #expect(try #require(Query(argument: path)).part(of: Self.tree) == value)
    }

    @Test(
        "what is no such path is refused",
        arguments: ["", ".", "a..b", "a.", ".a", "keys[]", "keys[*].kid", "keys[-1]", "a|b", "[?x]", "keys[0", "a.*"])
    func refused(path: String) {
        #expect(Query(argument: path) == nil)
    }
}
