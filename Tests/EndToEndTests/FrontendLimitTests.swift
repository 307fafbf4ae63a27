import Foundation
import ProcessSupport
import TestSupport
import Testing

@Suite("The frontend, when there are too few descriptors or too many connections")
struct FrontendLimitTests {
    @Test("has fewer connections where it may have few descriptors, says so, and follows the agent while they are all taken")
    func fewDescriptors() async throws {
        try await Installation.with { site in
            try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", "ES256")
            let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            let frontend = try site.start(
                Launcher.arguments(
                    passing: ["descriptors:64:700"], "privyseal-issuer",
                    ["serve", "--config", site.issuerConfiguration]))
            #expect(await poll("the documents") { try await site.get(url + "openid/v1/jwks").status == 200 }, "\(frontend.text)")
            // How many depends on the machine's processors.
            let said = try #require(
                frontend.text.firstMatch(
                    of: /the process may open 700 files and connections: (\d+) connections are served at a time, not 1024/),
                "\(frontend.text)")
            #expect(16...600 ~= Int(said.output.1) ?? 0)
            #expect(frontend.text.contains("limits.connections"), "\(frontend.text)")
            let crowd = try site.start(Self.holding(800, port: site.port))
            #expect(await poll("the crowd") { crowd.text.contains("there") }, "\(crowd.text)")
            #expect(try await site.get("/readyz").status == 200)
            // For the second of which the fresh key has to be published, and written to the cache.
            _ = try await site.output("rotate", "demo", "--yes")
            let outcome = try await site.output("rotate", "demo", "--yes", "-o", "json", "--query", "publication.outcome")
            #expect(outcome == "\"published\"")
            let kid = try await site.output("issuer", "status", "demo", "--query", "activeKid", "-o", "tsv")
            #expect(await poll("the cache") { try site.cachedDocuments().contains(kid) })
            #expect(!frontend.text.contains("Too many open files"), "\(frontend.text)")
            await crowd.end(SIGKILL)
            #expect(await frontend.end() == 0)
        }
    }

    @Test("with too few descriptors for any use it does not start, and says how many it takes")
    func tooFew() async throws {
        try await Installation.with { site in
            for command in [["serve"], ["check", "--start"]] {
                let frontend = try site.start(
                    Launcher.arguments(
                        passing: ["descriptors:40:40"], "privyseal-issuer", command + ["--config", site.issuerConfiguration]))
                #expect(await frontend.process.status == 1)
                #expect(
                    frontend.text.contains("error: the process may open 40 files and connections, which is too few\nhint: "),
                    "\(frontend.text)")
            }
        }
    }

    @Test("waits, without a processor's time, while nothing can be opened, and serves whoever has waited as soon as it can be")
    func exhausted() async throws {
        try await Installation.with { site in
            // Without it, the frontend would open and close a connection now and then.
            try await site.startAgent()
            let frontend = try await site.startFrontend()
            let pid = frontend.process.processIdentifier
            #expect(await poll("the agent's connection") { try await site.get("/readyz").status == 200 })
            // The fewest of some: connections that have just ended are open for a moment more.
            var open = Int.max
            for _ in 1...20 {
                open = min(open, try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count)
                try await Task.sleep(for: .milliseconds(50))
            }
            // From outside, as if something else had taken all there is.
            try await Self.limit(pid, to: open)
            let waiting = try site.start(Self.asking(port: site.port))
            #expect(await poll("the log") { frontend.text.contains("connections cannot be accepted, trying again") })
            let before = try Self.ticks(pid)
            // Two seconds of its clock, in which a loop that never waits would take most of two hundred ticks.
            try await Task.sleep(for: .seconds(2))
            #expect(try Self.ticks(pid) - before < 50, "\(frontend.text)")
            #expect(frontend.process.isRunning && waiting.process.isRunning, "\(waiting.text)\(frontend.text)")
            #expect(frontend.text.components(separatedBy: "cannot be accepted").count == 2, "said once")
            try await Self.limit(pid, to: 1_024)
            #expect(await waiting.process.status == 0, "\(waiting.text)")
            #expect(waiting.text.contains("HTTP/1.1 200 OK"), "\(waiting.text)")
            #expect(await poll("the log") { frontend.text.contains("connections are accepted again") })
            #expect(await frontend.end() == 0)
        }
    }

    @Test(
        "refuses limits, proxies and an admin listener that are not what they have to be, with file and line",
        arguments: [
            ("limits: { connections: 0 }", "limits.connections is 0"),
            ("limits: { connections: 50001 }", "limits.connections is 50001"),
            ("limits: { connectionsPerAddress: -1 }", "limits.connectionsPerAddress is -1"),
            ("limits: { idle: 4s }", "limits.idle is 4s"), ("limits: { idle: 61m }", "limits.idle is 1h1m"),
            ("limits: { idle: 75 }", "75"), ("limits: { connection: 5 }", "connection"), ("limits:", "limits has no value"),
            ("trustedProxies: [192.0.2.1/24]", "\"192.0.2.1/24\" is neither an address nor a network"),
            ("trustedProxies: [proxy.example.com]", "\"proxy.example.com\" is neither an address nor a network"),
            ("trustedProxies:", "trustedProxies has no value"),
            ("admin: { host: 0.0.0.0, port: 1 }", "admin.host is not an address of loopback: \"0.0.0.0\""),
            ("admin: { host: 127.0.0.1 }", "port"), ("admin:", "admin has no value"),
        ])
    func configuration(line: String, message: String) async throws {
        try await Installation.with { site in
            let text = try String(contentsOfFile: site.issuerConfiguration, encoding: .utf8)
            try "\(line)\n\(text)".write(toFile: site.issuerConfiguration, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: site.issuerConfiguration)
            let outcome = try await Programs.run("privyseal-issuer", ["serve", "--config", site.issuerConfiguration])
            #expect(outcome.status == 78, "\(outcome.errors)")
            #expect(outcome.errors.hasPrefix("error: \(site.issuerConfiguration):1:"), "\(outcome.errors)")
            #expect(outcome.errors.contains(message) && outcome.errors.contains("\nhint: "), "\(outcome.errors)")
        }
    }

    @Test("keeps an address to what the configuration allows it, and has room of its own for who asks for health")
    func limits() async throws {
        try await Installation.with { site in
            let admin = try FreePort.next()
            let text = try String(contentsOfFile: site.issuerConfiguration, encoding: .utf8)
            let more = """
                limits: { connections: 40, connectionsPerAddress: 20, idle: 5s }
                trustedProxies: [127.0.0.9]
                admin: { host: 127.0.0.1, port: \(admin) }

                """
            try (more + text).write(toFile: site.issuerConfiguration, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: site.issuerConfiguration)
            let frontend = try await site.startFrontend()
            #expect(
                await poll("the admin listener") { frontend.text.contains("admin listening on http://127.0.0.1:\(admin)") },
                "\(frontend.text)")
            let crowd = try site.start(Self.holding(60, port: site.port))
            #expect(await poll("the crowd") { crowd.text.contains("there") }, "\(crowd.text)")
            // Of the sixty, and beside what else is open.
            let pid = frontend.process.processIdentifier
            #expect(await poll("its closing") { try Self.connections(pid) <= 22 })
            #expect(try await site.get("http://127.0.0.1:\(admin)/healthz").status == 200)
            #expect(try await site.get("/healthz").status == 200)
            await crowd.end(SIGKILL)
            // Half the time that it would have unless told otherwise.
            let idle = try site.start(Self.idling(port: site.port, seconds: 37))
            #expect(await idle.process.status == 0, "\(idle.text)")
        }
    }

    /// One request on a connection that is kept, whose end by the other side is waited for so long.
    private static func idling(port: Int, seconds: Int) -> [String] {
        let script = """
            import socket, sys
            s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=float(sys.argv[2]))
            s.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            while s.recv(4096): pass
            """
        return ["-c", script, "\(port)", "\(seconds)"]
    }

    /// Connections of which each has begun a request; says so once they are there, and then holds them.
    private static func holding(_ count: Int, port: Int) -> [String] {
        let script = """
            import socket, sys, time
            held = []
            for _ in range(int(sys.argv[2])):
                s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
                try:
                    s.sendall(b"GET /he")
                except OSError:
                    pass
                held.append(s)
            print("there", flush=True)
            time.sleep(600)
            """
        return ["-c", script, "\(port)", "\(count)"]
    }

    /// One request, and what comes of it.
    private static func asking(port: Int) -> [String] {
        let script = """
            import socket, sys
            s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            s.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
            print(s.recv(4096).decode())
            """
        return ["-c", script, "\(port)"]
    }

    private static func limit(_ pid: Int32, to descriptors: Int) async throws {
        let outcome = try await Programs.run(
            at: "/usr/bin/prlimit", ["--pid", "\(pid)", "--nofile=\(descriptors):"])
        try #require(outcome.status == 0, "\(outcome.errors)")
    }

    /// The processor's time that a process has taken, in hundredths of a second (proc(5)).
    private static func ticks(_ pid: Int32) throws -> Int {
        let line = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = line[line.index(after: line.lastIndex(of: ")")!)...].split(separator: " ")
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
    }

    private static func connections(_ pid: Int32) throws -> Int {
        let directory = "/proc/\(pid)/fd"
        return try FileManager.default.contentsOfDirectory(atPath: directory).count { name in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\(name)"))?.hasPrefix("socket:") == true
        }
    }
}

extension Installation {
    fileprivate func cachedDocuments() throws -> String {
        try String(contentsOfFile: directory + "/documents/documents.json", encoding: .utf8)
    }
}
