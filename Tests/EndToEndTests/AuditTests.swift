import AgentClient
import AgentProtocol
import Foundation
import JOSE
import Platform
import ProcessSupport
import Testing

@Suite("The audit log of a running agent")
struct AuditTests {
    @Test("what was done is recorded across a rotation of the file, verifies with the key of the token, and is proven to the end")
    func story() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            let log = site.directory + "/audit.log"
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256", "--enable-oidc-issuer")
            _ = try await site.output("jwt", "issue", "demo", "--audience", "https://api", "--subject", "billing")
            try FileManager.default.moveItem(atPath: log, toPath: log + ".1")
            #expect(kill(agent.process.processIdentifier, SIGHUP) == 0)
            #expect(await poll("the new file") { FileManager.default.fileExists(atPath: log) })
            _ = try await site.output("issuer", "rotate-signing-keys", "demo", "--yes")
            let key = try await Programs.run("privyseald", ["audit", "key", "--config", site.agentConfiguration])
            #expect(key.status == 0, "\(key.errors)")
            let pem = site.directory + "/audit.pem"
            try key.output.write(toFile: pem, atomically: true, encoding: .utf8)
            #expect(await agent.end() == 0)

            let verified = try await Programs.run("privyseald", ["audit", "verify", log + ".1", log, "--public-key", pem])
            #expect(verified.status == 0, "\(verified.output)")
            #expect(
                verified.output.hasPrefix("intact: ") && verified.output.contains("proven up to record"), "\(verified.output)")
            let shown = try await Programs.run("privyseald", ["audit", "tail", "-n", "1000", log])
            #expect(shown.output.contains("rotate") && shown.output.contains("attempted"), "\(shown.output)")

            // What is cut out is named, and so is what is changed.
            let lines = try String(contentsOfFile: log + ".1", encoding: .utf8).split(separator: "\n")
            try (lines.dropLast().joined(separator: "\n") + "\n").write(toFile: log + ".1", atomically: true, encoding: .utf8)
            let cut = try await Programs.run("privyseald", ["audit", "verify", log + ".1", log, "--public-key", pem])
            #expect(cut.status == 1 && cut.output.contains("NOT INTACT"), "\(cut.output)")
        }
    }

    @Test(
        "a log that is removed while the agent runs is there again within a second, health names that, and the next agent goes on"
    )
    func removed() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            let log = site.directory + "/audit.log"
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            try FileManager.default.removeItem(atPath: log)
            #expect(await poll("the new file") { FileManager.default.fileExists(atPath: log) })
            _ = try await site.output("jwt", "issue", "demo", "--audience", "https://api", "--subject", "billing")
            let degraded = try await site.privyseal("health")
            #expect("\(degraded.output)\(degraded.errors)".contains("was removed while it was in use"), "\(degraded.output)")
            #expect(await agent.end() == 0)
            try await site.startAgent()
            let again = try await site.privyseal("health")
            #expect("\(again.output)\(again.errors)".contains("was removed while it was in use"), "\(again.output)")
            _ = try await site.output("call", "reload", #"{"acceptAudit":true}"#)
            let seen = try await site.privyseal("health")
            #expect(!"\(seen.output)\(seen.errors)".contains("was removed"), "\(seen.output)")
            // One chain, without its beginning.
            let verified = try await Programs.run("privyseald", ["audit", "verify", log])
            #expect(verified.status == 4 && verified.output.contains("are not there"), "\(verified.output)")
        }
    }

    @Test("an agent does not start on a log that something else has written to, and says what to do")
    func damaged() async throws {
        try await Installation.with { site in
            let log = site.directory + "/audit.log"
            try Data("somebody was here\n".utf8).write(to: URL(fileURLWithPath: log))
            try FileMode.set(0o600, of: log)
            let outcome = try await Programs.run("privyseald", ["serve", "--config", site.agentConfiguration])
            #expect(outcome.status == 1 && outcome.errors.contains("no record of an audit log"), "\(outcome.errors)")
            try FileManager.default.removeItem(atPath: log)
            try await site.startAgent()
        }
    }

    @Test("records of a killed agent go on in the next one, each written before its reply")
    func killed() async throws {
        try await Installation.with { site in
            var agent = try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            for _ in 1...3 {
                let client = try await site.connect()
                let signed = try await client.call(SignParameters(issuer: "demo", claims: ["sub": "s", "aud": "a"]))
                #expect(await agent.end(SIGKILL) == -SIGKILL)
                let text = try String(contentsOfFile: site.directory + "/audit.log", encoding: .utf8)
                let payload = signed.jwt.split(separator: ".")[1]
                let id = try #require(try JSONValue(parsing: Base64URL.decode(String(payload)))["jti"]?.string)
                #expect(text.contains(id))
                await client.close()
                agent = try await site.startAgent()
            }
            #expect(await agent.end() == 0)
            // Without the key nothing is proven; but nothing is found either.
            let verified = try await Programs.run("privyseald", ["audit", "verify", site.directory + "/audit.log"])
            #expect(verified.status == 4, "\(verified.output)")
        }
    }

    @Test("a disk that is full is found out, and signing goes on once there is room", .enabled(if: SmallDisk.isPossible))
    func fullDisk() async throws {
        try await Installation.with { site in
            let disk = site.directory + "/disk"
            try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
            try site.writeAgentConfiguration(replacing: ["publicBaseURL:": "audit: { path: \(disk)/audit.log }\npublicBaseURL:"])
            _ = try site.start(SmallDisk.arguments(on: disk, "privyseald", ["serve", "--config", site.agentConfiguration]))
            #expect(await site.agentAnswers())
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            let client = try await site.connect()
            var signed = 0
            let refusal = await poll("a full disk") {
                do {
                    _ = try await client.call(SignParameters(issuer: "demo", claims: ["sub": "s", "aud": "a"]))
                    signed += 1
                    return false
                } catch let error as ProtocolError where error.reason == .auditUnavailable {
                    return true
                }
            }
            #expect(refusal && signed > 0)
            // The shorter the record, the longer it still fits.
            #expect(
                await poll("health that says so") {
                    _ = try await site.privyseal("issuer", "show", "demo")
                    let health = try await site.privyseal("health")
                    return health.status == 1 && health.errors.contains("No space left on device")
                })
            // Room is made by whoever looks after the disk: the ballast goes.
            try Data().write(to: URL(fileURLWithPath: site.directory + "/make-room"))
            #expect(
                await poll("signing") {
                    try await site.privyseal("jwt", "issue", "demo", "--audience", "a", "--subject", "s").status == 0
                })
            await client.close()
        }
    }
}

/// A file system that holds next to nothing, in a mount namespace that only one program sees.
private enum SmallDisk {
    /// Mounts it, fills most of it, and gives that back once a file next to it appears.
    private static let script = """
        set -e
        mount -t tmpfs -o size=128k tmpfs "$1"
        head -c 112k /dev/zero > "$1/ballast"
        (while [ ! -e "$1/../make-room" ]; do sleep 0.1; done; rm "$1/ballast") > /dev/null 2>&1 &
        shift
        exec "$@"
        """

    /// Mounting takes root, and a machine that lets root do it.
    static let isPossible: Bool =
        geteuid() == 0 ? unsafe system("unshare --mount mount -t tmpfs tmpfs /mnt > /dev/null 2>&1") == 0 : false

    /// What `Launcher.python` takes to start a program that finds the file system at a directory.
    static func arguments(on directory: String, _ program: String, _ arguments: [String]) -> [String] {
        [
            "-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])", "/usr/bin/unshare", "--mount", "/bin/bash", "-c",
            script, "bash", directory, "\(Programs.directory)/\(program)",
        ] + arguments
    }
}
