import AgentSettings
import DaemonKit
import TestSupport
import Testing

@Suite("The access section")
struct AccessSettingsTests {
    /// What is wrong with a section, and what is said of it.
    struct Fault: Sendable, CustomTestStringConvertible {
        let section: String
        let naming: [String]
        var testDescription: String { section }

        init(_ section: String, naming: String...) {
            self.section = section
            self.naming = naming
        }
    }

    static let faults = [
        Fault("- { user: nobody-by-this-name, allow: [sign] }", naming: "agent.yaml:6", "nobody-by-this-name"),
        Fault("- { group: no-group-by-this-name, allow: [sign] }", naming: "agent.yaml:6", "no-group-by-this-name"),
        Fault("- { allow: [sign] }", naming: "agent.yaml:6", "nobody"),
        Fault("- { user: root, allow: [] }", naming: "agent.yaml:6", "allows nothing"),
        Fault("- { user: root, allow: [sing] }", naming: "agent.yaml:6", "\"sing\""),
        Fault("- { user: root, allow: [sign, \"*\"] }", naming: "agent.yaml:6", "\"*\""),
        Fault("- { user: root, allow: [sign], issuers: [] }", naming: "agent.yaml:6", "empty list"),
        Fault("- { user: root, allow: [sign], subjects: [\"a?c\"] }", naming: "agent.yaml:6", "\"a?c\""),
        Fault("- { user: root, allow: [sign], claims: [Sub] }", naming: "agent.yaml:6", "\"Sub\"", "\"sub\""),
        Fault("- { user: root, allow: [sign], maxLifetime: 3600 }", naming: "agent.yaml:6", "unit"),
        Fault("- { user: root, allow: [sign], maxLifetime: 48h }", naming: "agent.yaml:6", "10m to 24h"),
        Fault("- { user: root, allow: [sign], rate: { perSecond: 0 } }", naming: "agent.yaml:6", "perSecond"),
        Fault("- { user: root, allow: [sign], subjects: }", naming: "agent.yaml:6", "subjects has no value"),
        Fault("- { user: root, group: ~, allow: [sign] }", naming: "agent.yaml:6", "group has no value"),
        Fault("- { user: root, allow: [sign], connections: 0 }", naming: "agent.yaml:6", "connections"),
        Fault("- { user: root, allow: [sign], issuer: prod }", naming: "agent.yaml:6", "issuer", "issuers"),
    ]

    @Test("a rule that cannot be meant is refused with file and line", arguments: faults)
    func fault(fault: Fault) throws {
        let text = """
            socket: { path: /run/privyseal/agent.sock }
            token: { uri: "pkcs11:token=privyseal", module: /usr/lib/softhsm/libsofthsm2.so, pinFile: /etc/privyseal/pin }
            store: { sqlite: /var/lib/privyseal/store.db }
            publicBaseURL: https://oidc.example.com
            access:
            \(fault.section)

            """
        try withTemporaryDirectory { directory in
            try writeFile(directory + "/agent.yaml", text)
            let error = #expect(throws: ConfigurationError.self) { try Settings(path: directory + "/agent.yaml") }
            let said = error.map { "\($0)" } ?? ""
            for name in fault.naming { #expect(said.contains(name), "\(said)") }
        }
    }
}
