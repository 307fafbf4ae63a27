import DaemonKit
import Foundation
import TestSupport
import Testing

private struct Agent: Decodable, Equatable {
    struct Socket: Decodable, Equatable {
        let path: String
        let mode: FileModeValue?

        enum CodingKeys: String, CodingKey, CaseIterable { case path, mode }
    }

    enum Kind: String, Decodable, CaseIterable { case rsa, ecdsa }

    let socket: Socket
    let sessions: Int?
    let overlap: DurationValue?
    let standby: Bool?
    let kind: Kind?
    let names: [String]?
    let backends: [Socket]?

    enum CodingKeys: String, CodingKey, CaseIterable { case socket, sessions, overlap, standby, kind, names, backends }
}

private struct Unlisted: Decodable {
    let socket: String?
}

private func failure(_ text: String) -> ConfigurationError? {
    #expect(throws: ConfigurationError.self) { try StrictYAML.decode(Agent.self, from: text, file: "agent.yaml") }
}

@Suite struct StrictYAMLTests {
    @Test("a configuration is decoded with its defaults absent and its values as written")
    func decodes() throws {
        let text = """
            # a comment
            socket: { path: /run/a.sock, mode: 0660 }
            sessions: 4
            overlap: 1h30m
            standby: true
            kind: ecdsa
            names: [a, "b c", 7]
            backends:
              - path: x
              - path: y
                mode: "600"
            """
        let agent = try StrictYAML.decode(Agent.self, from: text, file: "agent.yaml")
        #expect(agent.socket == Agent.Socket(path: "/run/a.sock", mode: FileModeValue(bits: 0o660)))
        #expect(agent.sessions == 4)
        #expect(agent.overlap == DurationValue(seconds: 5400))
        #expect(agent.standby == true)
        #expect(agent.kind == .ecdsa)
        #expect(agent.names == ["a", "b c", "7"])
        #expect(agent.backends?.map(\.path) == ["x", "y"])
        #expect(agent.backends?.last?.mode?.bits == 0o600)
    }

    @Test("a key without a value counts as absent")
    func empty() throws {
        let agent = try StrictYAML.decode(Agent.self, from: "socket: {path: a}\nsessions:\noverlap: ~\n", file: "agent.yaml")
        #expect(agent.sessions == nil)
        #expect(agent.overlap == nil)
    }

    @Test(
        "what is wrong is said with its line and column",
        arguments: [
            ("sokcet: {path: a}", "agent.yaml:1:1: unknown key \"sokcet\"; did you mean \"socket\"?"),
            ("socket:\n  path: a\n  moed: 1", "agent.yaml:3:3: unknown key \"moed\"; did you mean \"mode\"?"),
            ("socket: {path: a}\n<<: 1", "agent.yaml:2:1: unknown key \"<<\""),
            ("socket: {path: a}\nzzzzzz: 1", "agent.yaml:2:1: unknown key \"zzzzzz\""),
            (
                "backends:\n  - path: a\n  - pth: b\nsocket: {path: a}",
                "agent.yaml:3:5: unknown key \"pth\"; did you mean \"path\"?"
            ),
            ("socket: {mode: \"0660\"}", "agent.yaml:1:9: \"socket.path\" is missing"),
            ("", "agent.yaml:1:1: \"socket\" is missing"),
            ("socket: {path: a}\nsessions: many", "agent.yaml:2:11: \"sessions\" must be a whole number"),
            ("socket: {path: a}\nsessions: \"4\"", "agent.yaml:2:11: \"sessions\" must be a whole number"),
            ("socket: {path: a}\nstandby: yes", "agent.yaml:2:10: \"standby\" must be true or false, not \"yes\""),
            ("socket: {path: a}\noverlap: 24", "agent.yaml:2:10: \"24\" has a number without a unit"),
            ("socket: {path: a, mode: 9}", "agent.yaml:1:25: \"9\" is not a file mode"),
            ("socket: {path: a}\nkind: ecdas", "agent.yaml:2:7: \"kind\" cannot be \"ecdas\"; did you mean \"ecdsa\"?"),
            ("socket: a", "agent.yaml:1:9: \"socket\" must be a mapping, not \"a\""),
            ("socket: {path: [a]}", "agent.yaml:1:16: \"socket.path\" must be text, not a list"),
            ("socket: {path: }", "agent.yaml:1:16: \"socket.path\" must be text, not nothing"),
            ("socket: {path: a}\nnames: a", "agent.yaml:2:8: \"names\" must be a list, not \"a\""),
            ("socket: {path: a}\nnames: [a, {b: c}]", "agent.yaml:2:12: \"names.1\" must be text, not a mapping"),
            ("- a", "agent.yaml:1:1: the file must be a mapping, not a list"),
            ("socket: {path: a}\nsocket: {path: b}", "agent.yaml:1:1: the key \"socket\" is given twice"),
            ("socket: {path: a, path: b}", "agent.yaml:1:10: the key \"path\" is given twice"),
        ])
    func places(text: String, message: String) {
        let error = failure(text)
        #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
        #expect(error?.hint.isEmpty == false)
    }

    @Test(
        "text that is not one YAML document is a syntax error with its line",
        arguments: [
            ("socket: {path: a", 2), ("socket: [a\nb: }", 2), ("a: b: c", 1), ("socket: {path: a}\n---\nsocket: {path: b}", 2),
        ])
    func syntax(text: String, line: Int) {
        let error = failure(text + "\n")
        #expect(error?.code == .syntax)
        #expect(error?.line == line)
    }

    @Test("the hint to an unknown key names the keys of its place")
    func hint() {
        #expect(failure("socket: {x: 1}")?.hint == "remove it; the keys here are path, mode")
    }

    @Test("a type whose keys are not listed refuses unknown keys all the same")
    func unlisted() {
        let error = #expect(throws: ConfigurationError.self) {
            try StrictYAML.decode(Unlisted.self, from: "socekt: a", file: "f.yaml")
        }
        #expect(error?.description == "f.yaml:1:1: unknown key \"socekt\"")
    }

    @Test("an alias stands for what its anchor marks")
    func alias() throws {
        #expect(try StrictYAML.decode([String: [Int]].self, from: "a: &x [1]\nb: *x", file: "f.yaml") == ["a": [1], "b": [1]])
    }

    @Test("a mapping with free keys takes any")
    func dictionary() throws {
        #expect(try StrictYAML.decode([String: Int].self, from: "a: 1\nb: 2", file: "f.yaml") == ["a": 1, "b": 2])
    }

    @Test("a check of several values finds the place of the one it blames, or of what holds it")
    func laterCheck() throws {
        let yaml = try StrictYAML(text: "socket:\n  path: a\n", file: "agent.yaml")
        let error = yaml.invalidValue(at: ["socket", "path"], "the path is relative", hint: "make it absolute")
        #expect(error.description == "agent.yaml:2:9: the path is relative")
        #expect(yaml.invalidValue(at: ["socket", "mode"], "m", hint: "h").line == 2)
    }

    @Test("a file that is not there is an error that names it")
    func missingFile() {
        let error = #expect(throws: ConfigurationError.self) { _ = try StrictYAML(path: "/nonexistent/agent.yaml") }
        #expect(error?.code == .unreadable)
        #expect(error?.file == "/nonexistent/agent.yaml")
        #expect(error?.line == nil)
    }

    @Test("a file that others can write is refused, whatever is in it", arguments: [0o664, 0o646, 0o666])
    func exposedFile(mode: Int) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/agent.yaml"
            try writeFile(path, "socket: { path: a }", mode: mode)
            let error = #expect(throws: ConfigurationError.self) { _ = try StrictYAML(path: path) }
            #expect(error?.code == .exposed && error?.line == nil)
            #expect(error?.description.contains("mode 0\(String(mode, radix: 8))") == true)
            #expect(error?.hint.contains("chmod go-w \(path)") == true)
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
            _ = try StrictYAML(path: path)
        }
    }

    @Test(
        "integers keep to the range of their type",
        arguments: [("255", true), ("256", false), ("-1", false), ("0x10", false), ("1.0", false)])
    func integers(text: String, isValid: Bool) {
        let result = Result { try StrictYAML.decode([UInt8].self, from: "[\(text)]", file: "f.yaml") }
        #expect((try? result.get()) == (isValid ? [255] : nil))
    }
}
