import Foundation
import Testing

@Suite("The audit commands")
struct AuditCommandTests {
    /// What is wrong with a section, and what is said of it.
    struct Fault: Sendable, CustomTestStringConvertible {
        let section: String
        let naming: String
        var testDescription: String { section }
    }

    static let faults = [
        Fault(section: "{ path: audit.log }", naming: "audit.path is not the absolute path"),
        Fault(section: "{ path: /var/log/ }", naming: "audit.path is not the absolute path"),
        Fault(section: "{ fsync: 1 }", naming: "unit"),
        Fault(section: "{ fsync: 0s }", naming: "audit.fsync must be 1s to 60s"),
        Fault(section: "{ fsync: 2m }", naming: "audit.fsync must be 1s to 60s"),
        Fault(section: "{ head: 30s }", naming: "audit.head must be 60s to 86400s"),
        Fault(section: "{ head: 2d }", naming: "audit.head must be 60s to 86400s"),
        Fault(section: "{ enabled: false }", naming: "enabled"),
        Fault(section: "{ limitPerUser: 1000000 }", naming: "is not a size"),
        Fault(section: "{ limitPerUser: never }", naming: "is not a size"),
        Fault(section: "{ limitPerUser: 512KiB }", naming: "audit.limitPerUser must be 1MiB to 1TiB"),
        Fault(section: "{ limitPerUser: 2TiB }", naming: "audit.limitPerUser must be 1MiB to 1TiB"),
    ]

    @Test("a section that cannot be meant is refused with file and line", arguments: faults)
    func fault(fault: Fault) async throws {
        try await Installation.with { site in
            let text = try String(contentsOfFile: site.agentConfiguration, encoding: .utf8)
            try (text + "\naudit: \(fault.section)\n").write(
                toFile: site.agentConfiguration, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: site.agentConfiguration)
            let outcome = try await Programs.run("privyseald", ["check", "--config", site.agentConfiguration])
            #expect(outcome.status == 78, "\(outcome.errors)")
            #expect(outcome.errors.contains("agent.yaml:5"), "\(outcome.errors)")
            #expect(outcome.errors.contains(fault.naming), "\(outcome.errors)")
        }
    }

    @Test("verify ends with one line that says whether the log is proven, and one that says what to do")
    func verify() async throws {
        let file = try TemporaryFile()
        try file.write(Self.lines)
        let unproven = try await Programs.run("privyseald", ["audit", "verify", file.path])
        #expect(unproven.status == 4, "\(unproven.errors)")
        #expect(
            unproven.output == """
                NOT PROVEN: 3 records, 0 to 2, the last of 2026-11-24T10:00:02.000Z; without the audit key nothing of it is proven
                hint: give the key with --public-key, as "privyseald audit key" printed it, or a head noted elsewhere

                """)
        try file.write([Self.lines[0], Self.lines[1].replacing("pay:api", with: "pay:bad"), Self.lines[2]])
        let changed = try await Programs.run("privyseald", ["audit", "verify", file.path])
        #expect(changed.status == 1)
        let output = changed.output.split(separator: "\n")
        #expect(output.count == 2)
        #expect(output[0].hasPrefix("\(file.path):2: record 1 was changed"), "\(changed.output)")
        #expect(output[1].hasPrefix("NOT INTACT: 1 finding; 3 records, 0 to 2"), "\(changed.output)")
    }

    @Test("the head that is printed is the one that verify takes: for the same log, after a rotation, and compressed by gzip")
    func head() async throws {
        let (old, new) = (try TemporaryFile(), try TemporaryFile())
        try old.write(Array(Self.lines[...1]))
        try new.write([Self.lines[2]])
        func head(_ path: String) async throws -> String {
            let printed = try await Programs.run("privyseald", ["audit", "head", path])
            #expect(printed.status == 0, "\(printed.errors)")
            return printed.output.trimmingCharacters(in: .newlines)
        }
        func status(_ arguments: String...) async throws -> Int32 {
            let verified = try await Programs.run("privyseald", ["audit", "verify"] + arguments)
            return Int32(verified.status)
        }
        let (before, last) = (try await head(old.path), try await head(new.path))
        #expect(before.hasPrefix("1:395a49ec0d777e37"))
        #expect(try await status(new.path, "--expect-head", last) == 4, "what came before is not there")
        #expect(try await status(new.path, "--expect-head", last, "--expect-head", before) == 0)
        let packed = old.path + ".gz"
        defer { try? FileManager.default.removeItem(atPath: packed) }
        #expect(try await Programs.run(at: "/bin/gzip", [old.path]).status == 0)
        #expect(try await head(packed) == before)
        #expect(try await status(packed, new.path, "--expect-head", last) == 0)
        #expect(try await status(packed, "--expect-head", last) == 1, "the log was cut off")
        #expect(try await status(packed, "--expect-head", "1") == 64)
    }

    @Test("with a key, a log without a signature of it is not proven; without a file or with a wrong one there is a hint")
    func keys() async throws {
        let (file, key) = (try TemporaryFile(), try TemporaryFile())
        try file.write(Self.lines)
        try key.write(Self.key)
        let unproven = try await Programs.run("privyseald", ["audit", "verify", file.path, "--public-key", key.path])
        #expect(unproven.status == 4 && unproven.output.hasPrefix("NOT PROVEN: 3 records"), "\(unproven.output)")
        let wrong = try await Programs.run("privyseald", ["audit", "verify", file.path, "--public-key", file.path])
        #expect(wrong.status == 1 && wrong.errors.contains("privyseald audit key"), "\(wrong.errors)")
        let absent = try await Programs.run("privyseald", ["audit", "verify", file.path + ".absent"])
        #expect(absent.status == 1 && absent.errors.contains("cannot be opened"), "\(absent.errors)")
    }

    @Test("tail shows a line for each record, and nothing a terminal would obey")
    func tail() async throws {
        let file = try TemporaryFile()
        try file.write(Self.lines + ["no record \u{1B}[2J"])
        let shown = try await Programs.run("privyseald", ["audit", "tail", file.path])
        #expect(
            shown.output == """
                2026-11-24T10:00:00.000Z 0        start     -                -              -
                2026-11-24T10:00:01.000Z 1        allowed   payments         sign           prod         sub=pay:api \
                aud=sts.amazonaws.com lifetime=3600s kid=k1 pid=4711 took=412us
                2026-11-24T10:00:02.000Z 2        denied    uid 1001         rotate         prod         pid=4712 count=12 \
                (no rule\\u{1b}[31m)
                ? no record \\u{1b}[2J

                """)
        let last = try await Programs.run("privyseald", ["audit", "tail", "-n", "1", file.path])
        #expect(last.output == "? no record \\u{1b}[2J\n")
    }

    @Test("tail -f goes on with what is added, over a rotation too")
    func follow() async throws {
        let (file, output) = (try TemporaryFile(), try TemporaryFile())
        let rotated = file.path + ".1"
        defer { try? FileManager.default.removeItem(atPath: rotated) }
        try file.write([Self.lines[0]])
        let tail = try Daemon(
            at: "\(Programs.directory)/privyseald", ["audit", "tail", "-f", file.path], log: output.path)
        #expect(await poll("the first record") { tail.text.contains(" start ") })
        try file.append(Self.lines[1])
        #expect(await poll("the second record") { tail.text.contains(" allowed ") })
        try FileManager.default.moveItem(atPath: file.path, toPath: rotated)
        try file.write([Self.lines[2]])
        #expect(await poll("the record in the new file") { tail.text.contains(" denied ") })
        await tail.end()
        #expect(tail.text.split(separator: "\n").count == 3, "\(tail.text)")
    }

    /// A log of three records.
    private static let lines = [
        #"{"seq":0,"time":"2026-11-24T10:00:00.000Z","prev":"000000000000000000000000000000000000000"#
            + #"0000000000000000000000000","type":"start"}"#,
        #"{"seq":1,"time":"2026-11-24T10:00:01.000Z","prev":"d15233ee632250dba0a4cd5c65adf02d5c57bfc"#
            + #"f21519bf1e508ba6e3d2ab3c8","uid":1000,"user":"payments","gid":1000,"pid":4711,"method":"si"#
            + #"gn","issuer":"prod","kid":"k1","sub":"pay:api","aud":["sts.amazonaws.com"],"lifetime":3600"#
            + #","outcome":"allowed","micros":412}"#,
        #"{"seq":2,"time":"2026-11-24T10:00:02.000Z","prev":"395a49ec0d777e37f159ae5430e04fc89c2af83"#
            + #"2b6d662b4542dac350868e498","uid":1001,"gid":1001,"pid":4712,"method":"rotate","issuer":"pr"#
            + #"od","outcome":"denied","reason":"no rule\u001b[31m","count":12}"#,
    ]

    private static let key = [
        "-----BEGIN PUBLIC KEY-----", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJ5kO+gplLIhJOrISv2y+Th1A+5Hc",
        "Hmsjyd8LweGPp5Zk8/9k1/X+DwbTEjrSWrpRZbnKEFXXKlog83dt+VxVQw==", "-----END PUBLIC KEY-----",
    ]
}

extension TemporaryFile {
    fileprivate func write(_ lines: [String]) throws {
        try (lines.joined(separator: "\n") + "\n").write(toFile: path, atomically: false, encoding: .utf8)
    }

    fileprivate func append(_ line: String) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("\(line)\n".utf8))
        try handle.close()
    }
}
