import Foundation
import Testing

/// The unit files, judged by systemd's own tools, which need no running systemd.
@Suite("The systemd units")
struct ServiceUnitTests {
    private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("systemd").path
    private static let analyze = "/usr/bin/systemd-analyze"
    private static let isThere = FileManager.default.isExecutableFile(atPath: analyze)

    @Test(
        "each service is rated 1.5 or better, and with a drop-in for its token still 2.5 or better",
        .enabled(if: isThere, "systemd-analyze is not installed: scripts/bootstrap"),
        arguments: [
            ("privyseald", nil, 15), ("privyseal-issuer", nil, 15), ("privyseald", "softhsm", 15),
            ("privyseald", "encrypted-pin", 15), ("privyseald", "network-hsm", 25), ("privyseald", "tpm", 25),
            ("privyseald", "etcd", 25), ("privyseal-issuer", "network", 15), ("privyseal-issuer", "tls", 25),
        ] as [(String, String?, Int)])
    func exposure(service: String, dropIn: String?, limit: Int) async throws {
        try await withUnits(service, dropIn) { unit in
            let outcome = try await Programs.run(
                at: Self.analyze, ["security", "--no-pager", "--offline=true", "--threshold=\(limit)", unit])
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
            #expect(outcome.output.contains("Overall exposure level for \(service).service"), "\(outcome.output)")
        }
    }

    @Test(
        "systemd finds nothing to complain about in any unit or drop-in",
        .enabled(if: isThere, "systemd-analyze is not installed: scripts/bootstrap"),
        arguments: [
            ("privyseald", nil), ("privyseal-issuer", nil), ("privyseald", "softhsm"), ("privyseald", "encrypted-pin"),
            ("privyseald", "network-hsm"), ("privyseald", "tpm"), ("privyseald", "etcd"), ("privyseal-issuer", "network"),
            ("privyseal-issuer", "tls"), ("privyseald-maintenance", nil),
        ] as [(String, String?)])
    func verified(service: String, dropIn: String?) async throws {
        try await withUnits(service, dropIn) { unit in
            let outcome = try await Programs.run(
                at: Self.analyze, ["verify", "--man=no", "--recursive-errors=no", unit])
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.errors == "")
        }
    }

    @Test("the drop-ins and units tested here are all there are")
    func complete() throws {
        let files = FileManager.default
        let dropIns = try files.contentsOfDirectory(atPath: Self.directory + "/drop-ins").sorted()
        #expect(
            dropIns == [
                "privyseal-issuer-network.conf", "privyseal-issuer-tls.conf", "privyseald-encrypted-pin.conf",
                "privyseald-etcd.conf", "privyseald-network-hsm.conf", "privyseald-softhsm.conf", "privyseald-tpm.conf",
            ])
        let units = try files.contentsOfDirectory(atPath: Self.directory).filter { $0.contains(".s") && !$0.hasSuffix(".conf") }
        #expect(
            units.sorted() == [
                "privyseal-issuer.service", "privyseald-maintenance.service", "privyseald.service", "privyseald.socket",
            ])
    }

    @Test("the exit statuses that starting again does not help with are those the programs document")
    func exitStatuses() async throws {
        for (service, statuses) in [("privyseald", "77 78"), ("privyseal-issuer", "78")] {
            let unit = try String(contentsOfFile: "\(Self.directory)/\(service).service", encoding: .utf8)
            #expect(unit.contains("\nRestartPreventExitStatus=\(statuses)\n"))
            let help = try await Programs.run(service, ["--help"]).output
            for status in statuses.split(separator: " ") { #expect(help.contains(" \(status) "), "\(help)") }
        }
    }

    @Test("after a crash the daemons are back at once, and no limit on starts takes the socket with it")
    func restarts() throws {
        for service in ["privyseald", "privyseal-issuer"] {
            let unit = try String(contentsOfFile: "\(Self.directory)/\(service).service", encoding: .utf8)
            let parts = unit.split(separator: "[Service]")
            #expect(parts[0].contains("\nStartLimitIntervalSec=0\n"), "\(unit)")
            #expect(parts[1].contains("\nRestartSec=250ms\n"), "\(unit)")
        }
    }

    @Test(
        "users, groups and directories are made as the units need them",
        .enabled(
            if: isThere && FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-sysusers") && getuid() == 0,
            "takes root, systemd-sysusers and systemd-tmpfiles"))
    func accounts() async throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("root-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        for directory in ["etc/privyseal", "run", "var/lib", "var/log"] {
            try FileManager.default.createDirectory(atPath: "\(root)/\(directory)", withIntermediateDirectories: true)
        }
        try "1234".write(toFile: root + "/etc/privyseal/pin", atomically: true, encoding: .utf8)
        let users = try await Programs.run(
            at: "/usr/bin/systemd-sysusers", ["--root=\(root)", Self.directory + "/privyseal.sysusers.conf"])
        #expect(users.status == 0, "\(users.errors)")
        let passwd = try String(contentsOfFile: root + "/etc/passwd", encoding: .utf8)
        for user in ["privyseal", "privyseal-issuer"] {
            #expect(passwd.split(separator: "\n").contains { $0.hasPrefix("\(user):") && $0.hasSuffix("/nologin") }, "\(passwd)")
        }
        let groups = try String(contentsOfFile: root + "/etc/group", encoding: .utf8).split(separator: "\n")
        #expect(groups.contains { $0.hasPrefix("privyseal-clients:") && $0.hasSuffix(":privyseal-issuer") }, "\(groups)")
        #expect(groups.contains { $0.hasPrefix("privyseal-operators:") }, "\(groups)")

        let made = try await Programs.run(
            at: "/usr/bin/systemd-tmpfiles",
            ["--root=\(root)", "--create", Self.directory + "/privyseal.tmpfiles.conf"])
        #expect(made.status == 0, "\(made.errors)")
        for (path, mode) in [
            ("/run/privyseal", 0o755), ("/etc/privyseal/pin", 0o400), ("/var/lib/privyseal", 0o700),
            ("/var/log/privyseal", 0o750),
        ] {
            let attributes = try FileManager.default.attributesOfItem(atPath: root + path)
            #expect(attributes[.posixPermissions] as? Int == mode, "\(path)")
            #expect((attributes[.ownerAccountID] as? Int == 0) == !path.hasPrefix("/var/"), "\(path)")
        }
    }

    /// Calls with the path of a unit as it would be installed, its program being the one built here.
    private func withUnits(_ service: String, _ dropIn: String?, _ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("units-\(UUID().uuidString)").path
        let files = FileManager.default
        try files.createDirectory(atPath: "\(directory)/\(service).service.d", withIntermediateDirectories: true)
        defer { try? files.removeItem(atPath: directory) }
        for unit in ["privyseald.service", "privyseald.socket", "privyseal-issuer.service", "privyseald-maintenance.service"] {
            let text = try String(contentsOfFile: "\(Self.directory)/\(unit)", encoding: .utf8)
            try text.replacing("/usr/local/bin/", with: Programs.directory + "/")
                .write(toFile: "\(directory)/\(unit)", atomically: true, encoding: .utf8)
        }
        if let dropIn {
            try files.copyItem(
                atPath: "\(Self.directory)/drop-ins/\(service)-\(dropIn).conf",
                toPath: "\(directory)/\(service).service.d/\(dropIn).conf")
        }
        try await body("\(directory)/\(service).service")
    }
}
