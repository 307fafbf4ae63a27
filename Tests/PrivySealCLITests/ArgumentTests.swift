import AgentProtocol
import ArgumentParser
import Testing

@testable import privyseal

@Suite("arguments")
struct ArgumentTests {
    @Test(
        "a claim's value is JSON where it is JSON, and a string otherwise",
        arguments: [
            ("team=core", "team", "core"), ("admin=true", "admin", true), ("level=3", "level", 3), ("gone=null", "gone", nil),
            ("v=\"1.0\"", "v", "1.0"), ("v=1.50", "v", .number("1.50")), ("groups=[\"a\",\"b\"]", "groups", ["a", "b"]),
            ("o={\"b\":1,\"a\":2}", "o", ["b": 1, "a": 2]), ("empty=", "empty", ""), ("expr=a=b", "expr", "a=b"),
            ("https://example.com/role=x", "https://example.com/role", "x"), ("n=01", "n", "01"),
        ] as [(String, String, JSONValue)])
    func claim(text: String, name: String, value: JSONValue) throws {
        #expect(try ClaimArgument.parse(text) == ClaimArgument(name: name, value: value))
    }

    @Test(
        "a claim without a name, or with JSON that is broken or ambiguous, is refused",
        arguments: ["team", "=x", "groups=[a,b]", "o={\"a\":1", "o={\"a\":1,\"a\":2}", "s=\"open"])
    func brokenClaim(text: String) {
        #expect(throws: ValidationError.self) { try ClaimArgument.parse(text) }
    }

    @Test(
        "a wrong command line is exit code 2, and the agent is not asked",
        arguments: [
            "frob", "issuer create", "issuer create demo --lifetime 5", "issuer update demo", "issuer update demo --immediately",
            "issuer update demo --enable-oidc-issuer --disable-oidc-issuer", "health -o xml", "health --query a..b",
            "jwt issue demo --subject x", "jwt issue demo --audience x", "jwt issue demo --subject s --audience a --claim sub=x",
            "jwt issue demo --subject s --audience a --claim k=1 --claim k=2", "jwt verify --issuer-url u --jwks f",
            "jwt verify --jwks -", "call health {", "issuer create demo --rotate-every never", "keys revoke",
            "jwt issue demo --subject s --audience a --lifetime 10m --claim exp=1",
        ])
    func usage(line: String) async {
        let agent = ScriptedSession()
        let outcome = await CommandLineRun(agent: agent)(line)
        #expect(outcome.status == 2)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.lowercased().hasPrefix("error: "), "\(outcome.errors)")
        #expect(agent.requests.isEmpty)
    }

    @Test("help is a result", arguments: ["--help", "issuer --help", "issuer", "help jwt issue", "--version"])
    func help(line: String) async {
        let outcome = await CommandLineRun()(line)
        #expect(outcome.status == 0)
        #expect(!outcome.output.isEmpty)
        #expect(outcome.errors.isEmpty)
    }

    @Test("the help names every exit code")
    func exitCodes() async {
        let help = await CommandLineRun()("--help").output
        for status in CommandStatus.allCases {
            #expect(help.contains("\n  \(status.rawValue)  "), "\(status)")
        }
    }

    @Test("every command's help has an example that fits a terminal of 80 columns")
    func examples() async {
        for command in Self.commands {
            let help = await CommandLineRun()(words: command + ["--help"]).output
            #expect(help.contains("\nExample"), "\(command)")
            let discussion = help.text(before: "\nUSAGE:")
            for line in discussion.split(separator: "\n") where line.hasPrefix("privyseal") {
                Issue.record("an example of \(command) was wrapped: \(line)")
            }
        }
    }

    static let commands: [[String]] =
        ["create", "update", "show", "list", "status", "delete", "rotate-signing-keys"].map { ["issuer", $0] }
        + [["rotate"], ["keys", "list"], ["keys", "revoke"], ["jwt", "issue"], ["jwt", "verify"]]
        + ["sign", "jwks", "discovery", "health", "version", "call"].map { [$0] }

    @Test("a kid that begins with a dash is a kid and no option")
    func dashedKid() {
        let kid = "-" + String(repeating: "a", count: 42)
        #expect(KeysRevokeCommand.shielding(kidIn: ["keys", "revoke", kid, "--yes"]) == ["keys", "revoke", "--yes", "--", kid])
        #expect(KeysRevokeCommand.shielding(kidIn: ["keys", "revoke", "--", kid]) == ["keys", "revoke", "--", kid])
        #expect(KeysRevokeCommand.shielding(kidIn: ["keys", "list", kid]) == ["keys", "list", kid])
        #expect(
            KeysRevokeCommand.shielding(kidIn: ["keys", "revoke", "--dry-run", "x"]) == ["keys", "revoke", "--dry-run", "x"])
    }
}

extension String {
    fileprivate func text(before marker: String) -> String {
        firstRange(of: marker).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
