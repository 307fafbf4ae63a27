import Foundation
import ProcessSupport
import Testing

@Suite("A daemon gives an intruder as little as possible")
struct HardeningTests {
    @Test("every thread of both has forgone new privileges, and their memory is nobody's to look at")
    func threads() async throws {
        try await Installation.with { site in
            let daemons = [try await site.startAgent(), try await site.startFrontend()]
            for daemon in daemons {
                let process = "/proc/\(daemon.process.processIdentifier)"
                let threads = try FileManager.default.contentsOfDirectory(atPath: process + "/task")
                #expect(threads.count > 1)
                for thread in threads {
                    let status = try String(contentsOfFile: "\(process)/task/\(thread)/status", encoding: .utf8)
                    #expect(status.contains("NoNewPrivs:\t1\n"), "\(status)")
                    #expect(status.contains("Umask:\t0077\n"), "\(status)")
                }
                let limits = try String(contentsOfFile: process + "/limits", encoding: .utf8)
                #expect(limits.contains(/Max core file size {1,}0 {1,}0 {1,}bytes/), "\(limits)")
            }
        }
    }

    @Test("nothing it was started with stays open but standard input, output and error and the manager's socket")
    func inherited() async throws {
        try await Installation.with { site in
            let secret = site.directory + "/left-open"
            try "of somebody else".write(toFile: secret, atomically: true, encoding: .utf8)
            let agent = try site.start(
                Launcher.arguments(
                    passing: ["file:\(secret)", "unix:\(site.socket)"], "privyseald",
                    ["serve", "--config", site.agentConfiguration]))
            #expect(await site.agentAnswers(), "\(agent.text)")
            let frontend = try site.start(
                Launcher.arguments(
                    passing: ["file:\(secret)"], "privyseal-issuer", ["serve", "--config", site.issuerConfiguration]))
            #expect(await poll("the frontend") { try await site.get("/healthz").status == 200 })
            for daemon in [agent, frontend] {
                let targets = try descriptors(of: daemon.process.processIdentifier)
                #expect(targets.values.contains(daemon.log))
                #expect(!targets.values.contains(secret), "\(targets)")
            }
        }
    }

    @Test("both may open as many descriptors as they are allowed to, whatever a shell's soft limit says")
    func descriptorLimit() async throws {
        try await Installation.with { site in
            let agent = try site.start(
                Launcher.arguments(
                    passing: ["descriptors:256:700"], "privyseald", ["serve", "--config", site.agentConfiguration]))
            #expect(await site.agentAnswers(), "\(agent.text)")
            let frontend = try site.start(
                Launcher.arguments(
                    passing: ["descriptors:256:700"], "privyseal-issuer", ["serve", "--config", site.issuerConfiguration]))
            #expect(await poll("the frontend") { try await site.get("/healthz").status == 200 }, "\(frontend.text)")
            for daemon in [agent, frontend] {
                let limits = try String(contentsOfFile: "/proc/\(daemon.process.processIdentifier)/limits", encoding: .utf8)
                #expect(limits.contains(/Max open files {1,}700 {1,}700 {1,}files/), "\(limits)")
            }
        }
    }

    @Test("a closed standard input or output is not taken by the store or the socket")
    func closedStandardDescriptors() async throws {
        try await Installation.with { site in
            let agent = try site.start(
                Launcher.arguments(passing: ["closed"], "privyseald", ["serve", "--config", site.agentConfiguration]))
            #expect(await site.agentAnswers(), "\(agent.text)")
            let targets = try descriptors(of: agent.process.processIdentifier)
            #expect(targets[0] == "/dev/null" && targets[1] == "/dev/null", "\(targets)")
        }
    }

    @Test("a crash ends it at once and shows nothing of its memory", arguments: [SIGABRT, SIGSEGV, SIGTRAP])
    func crash(signal: Int32) async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            // The agent last: the frontend would say that it is away.
            for daemon in [try await site.startFrontend(), agent] {
                let before = daemon.text
                #expect(await daemon.end(signal) == -signal)
                #expect(daemon.text == before)
            }
        }
    }

    @Test("the PIN is kept out of swap")
    func lockedPIN() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            let status = try String(contentsOfFile: "/proc/\(agent.process.processIdentifier)/status", encoding: .utf8)
            let locked = try #require(status.firstMatch(of: /VmLck:\s+(\d+) kB/))
            #expect(Int(locked.output.1) ?? 0 > 0, "\(status)")
            #expect(!agent.text.contains("swap"), "\(agent.text)")
        }
    }

    @Test("a PIN that cannot be kept out of swap is warned of once, with the limit and how to raise it, and the agent serves")
    func unlockedPIN() async throws {
        try await Installation.with { site in
            let agent = try site.start(
                Launcher.arguments(passing: ["nolock"], "privyseald", ["serve", "--config", site.agentConfiguration]))
            #expect(await site.agentAnswers(), "\(agent.text)")
            kill(agent.process.processIdentifier, SIGHUP)
            #expect(await poll("the reload") { agent.text.contains("read the configuration again") })
            let warnings = agent.text.split(separator: "\n").filter { $0.contains("swap") }
            #expect(warnings.count == 1, "\(agent.text)")
            for word in ["warning", "limit=\"0 bytes\"", "LimitMEMLOCK="] {
                #expect(warnings.first?.contains(word) == true, "\(word): \(agent.text)")
            }
        }
    }

    /// What the descriptors of a process lead to.
    private func descriptors(of pid: Int32) throws -> [Int: String] {
        let directory = "/proc/\(pid)/fd"
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        return Dictionary(
            names.compactMap { name in
                guard let number = Int(name),
                    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\(name)")
                else { return nil }
                return (number, target)
            }, uniquingKeysWith: { first, _ in first })
    }
}
