import Agent
import AgentSettings
import DaemonKit
import EtcdStore
import Foundation
import Platform
import TestSupport
import Testing

private let memory = "  memory: /var/lib/privyseal/fleet.json\n"
private let leastEtcd = "  etcd: { endpoints: [\"http://127.0.0.1:2379\"] }\n" + memory

private func inEtcd(_ members: String, _ more: String = memory) -> String {
    "  etcd: { endpoints: [https://a:2379], \(members) }\n" + more
}

/// What is wrong, what is said of it and what is hinted at.
private let badValues: [(String, String, String)] = [
    ("  {}\n", "does not say where", "sqlite"),
    ("  sqlite: /s.db\n" + leastEtcd, "names a file and etcd", "store move"),
    ("  sqlite: /s.db\n" + memory, "store.memory is for a store in etcd", "leave memory out"),
    ("  sqlite: /s.db\n  maxStaleness: 20s\n", "store.maxStaleness is for a store in etcd", "leave"),
    ("  sqlite: /s.db\n  agent: a\n", "store.agent is for a store in etcd", "leave"),
    ("  sqlite:\n", "store.sqlite has no value", "give it one"),
    ("  sqltie: /s.db\n", "unknown key \"sqltie\"", "sqlite"),
    ("  etcd: { endpoint: [https://a:2379] }\n" + memory, "unknown key \"endpoint\"", "endpoints"),
    (inEtcd("passwordfile: /p"), "unknown key \"passwordfile\"", "passwordFile"),
    (inEtcd("", "  maxStalenes: 20s\n" + memory), "unknown key \"maxStalenes\"", "maxStaleness"),
    ("  etcd: { endpoints: [] }\n" + memory, "endpoints is an empty list", "client URLs"),
    ("  etcd: { prefix: /x }\n" + memory, "endpoints", ""),
    ("  etcd: { endpoints: [\"a:2379\"] }\n" + memory, "\"a:2379\" is no endpoint", "scheme, host and port"),
    ("  etcd: { endpoints: [ftp://a:2379] }\n" + memory, "\"ftp://a:2379\" is no endpoint", "https://"),
    ("  etcd: { endpoints: [https://a:2379/v3] }\n" + memory, "is no endpoint", "nothing else"),
    ("  etcd: { endpoints: [\"https://u:p@a:2379\"] }\n" + memory, "is no endpoint", "keys of their own"),
    ("  etcd: { endpoints: [https://a, https://a:2379] }\n" + memory, "named twice", "once"),
    ("  etcd: { endpoints: [https://a, http://b] }\n" + memory, "not of one scheme", "TLS"),
    (inEtcd("prefix: privyseal"), "\"privyseal\" is no prefix", "begins with a slash"),
    (inEtcd("prefix: /privyseal/"), "is no prefix", "ends without one"),
    (inEtcd("ca:"), "store.etcd.ca has no value", "leave ca out"),
    (inEtcd("ca: ca.pem"), "store.etcd.ca is not the absolute path", "whole path"),
    (inEtcd("certificate: /c"), "has certificate and no key", "takes both"),
    (inEtcd("key: /k"), "has key and no certificate", "takes both"),
    (inEtcd("certificate: c, key: /k"), "store.etcd.certificate is not the absolute", "whole path"),
    (inEtcd("certificate: /c, key: k"), "store.etcd.key is not the absolute", "whole path"),
    (inEtcd("user: u"), "has user and no passwordFile", "without both"),
    (inEtcd("passwordFile: /p"), "has passwordFile and no user", "without both"),
    (inEtcd("user: \"\", passwordFile: /p"), "store.etcd.user is empty", "without both"),
    (inEtcd("user: u, passwordFile: p"), "store.etcd.passwordFile is not the absolute", "whole path"),
    ("  etcd: { endpoints: [http://a], ca: /ca }\n" + memory, "store.etcd.ca is for TLS", "https endpoints"),
    (
        "  etcd: { endpoints: [http://a], certificate: /c, key: /k }\n" + memory, "store.etcd.certificate is for TLS",
        "https endpoints"
    ),
    (inEtcd("prefix: /p", ""), "store.memory is missing", "fleet.json"),
    (inEtcd("prefix: /p", "  memory: fleet.json\n"), "store.memory is not the absolute", "whole path"),
    (inEtcd("prefix: /p", "  memory: /var/lib/\n"), "store.memory is not the absolute", "whole path"),
    (inEtcd("prefix: /p", "  maxStaleness: 9s\n" + memory), "store.maxStaleness must be 10s to 10m", "1m"),
    (inEtcd("prefix: /p", "  maxStaleness: 601s\n" + memory), "store.maxStaleness must be 10s to 10m", "1m"),
    (inEtcd("prefix: /p", "  maxStaleness: 60\n" + memory), "60", ""),
    (inEtcd("prefix: /p", "  agent: a/b\n" + memory), "store.agent must be", "no two agents"),
    (inEtcd("prefix: /p", "  agent: \"\"\n" + memory), "store.agent must be", "no two agents"),
    (inEtcd("prefix: /p", "  agent: \(String(repeating: "a", count: 65))\n" + memory), "store.agent must be", "64"),
]

private let changes: [(String, String, [String])] = [
    (leastEtcd, leastEtcd, []), ("  sqlite: /s.db\n", leastEtcd, ["store"]),
    (leastEtcd, leastEtcd.replacing("2379", with: "2380"), ["store.etcd"]),
    (inEtcd("prefix: /p"), inEtcd("prefix: /q"), ["store.etcd"]), (inEtcd("ca: /p"), inEtcd("ca: /q"), ["store.etcd"]),
    (inEtcd("user: u, passwordFile: /p"), inEtcd("user: v, passwordFile: /p"), ["store.etcd"]),
    (inEtcd("certificate: /c, key: /p"), inEtcd("certificate: /c, key: /q"), ["store.etcd"]),
    (
        leastEtcd, leastEtcd.replacing("fleet", with: "other") + "  agent: b\n  maxStaleness: 20s\n",
        ["store.maxStaleness", "store.agent", "store.memory"]
    ),
]

@Suite("The store of an agent, as its file names it")
struct StoreSettingTests {
    private static let before = """
        socket: { path: /run/privyseal/agent.sock }
        token: { uri: "pkcs11:token=privyseal", module: /usr/lib/softhsm/libsofthsm2.so, pinFile: /etc/privyseal/pin }
        publicBaseURL: https://oidc.example.com/
        store:

        """
    private func settings(_ store: String) throws -> Settings {
        try withTemporaryDirectory { directory in
            try writeFile(directory + "/agent.yaml", Self.before + store)
            return try Settings(path: directory + "/agent.yaml")
        }
    }

    private func etcd(_ store: String) throws -> EtcdSettings {
        let setting = try settings(store).store
        guard case .etcd(let etcd) = setting else { throw NotEtcd() }
        return etcd
    }

    private struct NotEtcd: Error {}

    @Test("is a file, beside which the audit log is")
    func sqlite() throws {
        let settings = try settings("  sqlite: /var/lib/privyseal/store.db\n")
        #expect(settings.store == .sqlite("/var/lib/privyseal/store.db"))
        #expect(settings.store.localFile == "/var/lib/privyseal/store.db")
    }

    @Test("is in etcd with its defaults, and the audit log is beside what this machine remembers")
    func least() throws {
        let settings = try settings(leastEtcd)
        let etcd = try etcd(leastEtcd)
        #expect(etcd.endpoints.map(\.url) == ["http://127.0.0.1:2379"])
        #expect(etcd.prefix == "/privyseal" && etcd.maxStaleness == 60 && etcd.agent == nil)
        #expect(etcd.authority == nil && etcd.certificate == nil && etcd.user == nil)
        #expect(etcd.memory == "/var/lib/privyseal/fleet.json")
        #expect(settings.store.localFile == etcd.memory)
        #expect(settings.audit.path == "/var/lib/privyseal/audit.log")
    }

    @Test("is in etcd with everything that can be said of it")
    func everything() throws {
        let etcd = try etcd(
            """
              etcd:
                endpoints: [https://a.example, "https://[2001:db8::1]:12379/"]
                prefix: /teams/privyseal
                ca: /etc/privyseal/etcd/ca.pem
                certificate: /etc/privyseal/etcd/client.pem
                key: /etc/privyseal/etcd/client.key
                user: privyseal
                passwordFile: /etc/privyseal/etcd/password
              maxStaleness: 90s
              agent: node-1.example
              memory: /var/lib/privyseal/fleet.json

            """)
        #expect(etcd.endpoints.map(\.url) == ["https://a.example:2379", "https://[2001:db8::1]:12379"])
        #expect(etcd.prefix == "/teams/privyseal" && etcd.maxStaleness == 90 && etcd.agent == "node-1.example")
        let access = etcd.access
        #expect(access.endpoints == etcd.endpoints && access.authority == "/etc/privyseal/etcd/ca.pem")
        #expect(access.certificate?.certificate == "/etc/privyseal/etcd/client.pem")
        #expect(access.certificate?.key == "/etc/privyseal/etcd/client.key")
        #expect(access.user?.name == "privyseal" && access.user?.passwordFile == "/etc/privyseal/etcd/password")
    }

    @Test(
        "is refused with its place, what is wrong and what would be right",
        arguments: badValues)
    func refused(store: String, message: String, hint: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try settings(store) }
        #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
        #expect(error.map { hint.isEmpty || $0.hint.contains(hint) || $0.message.contains(hint) } == true, "\(error?.hint ?? "")")
        #expect((error?.line ?? 0) >= 4, "\(error?.description ?? "")")
    }

    @Test(
        "says which of it counts from the next start on only",
        arguments: changes)
    func differing(store: String, other: String, sections: [String]) throws {
        let changed = try settings(other).sectionsThatDiffer(from: settings(store))
        // The audit log is beside the one or the other.
        #expect(changed.filter { $0 != "audit" } == sections)
    }

    @Test("names the file that others can read or change before a start meets it")
    func files() throws {
        try withTemporaryDirectory { directory in
            for name in ["ca", "chain", "key", "password"] {
                try AtomicFile.write(Array("text".utf8), to: "\(directory)/\(name)", mode: 0o600)
            }
            let etcd = try etcd(
                inEtcd(
                    "ca: \(directory)/ca, certificate: \(directory)/chain, key: \(directory)/key, user: u, passwordFile: "
                        + "\(directory)/password"))
            try etcd.checkFiles()
            for (name, mode) in [("ca", 0o666), ("chain", 0o620), ("key", 0o640), ("key", 0o604), ("password", 0o644)] {
                let path = "\(directory)/\(name)"
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
                let error = #expect(throws: PlatformError.self) { try etcd.checkFiles() }
                #expect(error?.code == .exposed && error?.message.contains(String(mode, radix: 8)) == true, "\(name)")
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            }
            for name in ["ca", "chain", "key", "password"] {
                let path = "\(directory)/\(name)"
                try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
                let error = #expect(throws: PlatformError.self) { try etcd.checkFiles() }
                #expect(error?.code == .missing && error?.message.contains(path) == true, "\(name)")
                try FileManager.default.moveItem(atPath: path + ".away", toPath: path)
            }
        }
    }
}
