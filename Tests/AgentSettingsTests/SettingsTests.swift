import Agent
import AgentSettings
import TestSupport
import Testing

@Suite("The settings of an agent")
struct SettingsTests {
    private static let least = """
        socket: { path: /run/privyseal/agent.sock }
        token: { uri: "pkcs11:token=privyseal", module: /usr/lib/softhsm/libsofthsm2.so, pinFile: /etc/privyseal/pin }
        store: { sqlite: /var/lib/privyseal/store.db }
        publicBaseURL: https://oidc.example.com/

        """

    private func settings(_ text: String = least) throws -> Settings {
        try withTemporaryDirectory { directory in
            try writeFile(directory + "/agent.yaml", text)
            return try Settings(path: directory + "/agent.yaml")
        }
    }

    @Test("have their defaults, and nothing to warn of, where the file says the least it can")
    func defaults() throws {
        let settings = try settings()
        #expect(settings.socketMode == 0o660)
        #expect(settings.pin == .file("/etc/privyseal/pin"))
        #expect(settings.publicBaseURL.text == "https://oidc.example.com")
        #expect(settings.audit.path == "/var/lib/privyseal/audit.log")
        #expect(settings.access == nil && settings.tenant == nil)
        #expect(settings.signing.queue == 1_024 && settings.signing.deadline == 10)
        #expect(settings.warnings.isEmpty)
    }

    @Test(
        "say which of them count from the next start on only",
        arguments: [
            ("agent.sock }", "other.sock }", ["socket.path"]), ("agent.sock }", "agent.sock, mode: \"0600\" }", ["socket.mode"]),
            ("pinFile: /etc/privyseal/pin", "pinCredential: pin", ["token.pinFile", "token.pinCredential"]),
            ("token=privyseal", "token=other", ["token.uri"]), ("libsofthsm2.so", "other.so", ["token.module"]),
            ("store.db", "other.db", ["store.sqlite"]), ("store:", "tenant: t\nstore:", ["tenant"]),
            ("store:", "signing: { sessions: 300, queue: 7 }\nstore:", ["signing.sessions", "signing.queue"]),
            ("store:", "limits: { connections: 7 }\nstore:", ["limits"]), ("store:", "audit: { fsync: 2s }\nstore:", ["audit"]),
            // What counts at once.
            ("oidc.example.com", "other.example.com", []), ("store:", "log: { level: debug }\nstore:", []),
            ("store:", "access:\n- { user: root, allow: [sign] }\nstore:", []),
        ])
    func differing(text: String, other: String, sections: [String]) throws {
        let changed = try settings(Self.least.replacing(text, with: other))
        #expect(try changed.sectionsThatDiffer(from: settings()) == sections)
        #expect(changed.sectionsThatDiffer(from: changed).isEmpty)
    }
}
