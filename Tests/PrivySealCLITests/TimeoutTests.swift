import AgentClient
import AgentProtocol
import Platform
import Testing

@testable import privyseal

@Suite("an agent that does not answer in time")
struct TimeoutTests {
    /// Takes connections and calls, and answers none until its task is cancelled.
    private final class StoppedAgent: AgentSession {
        private let asked = Locked(false)
        var isAsked: Bool { asked.withLock { $0 } }

        func call(_ method: AgentProtocol.Method, _ params: JSONValue?) async throws -> JSONValue {
            asked.withLock { $0 = true }
            try await Task.sleep(for: .seconds(3600))
            throw ProtocolError(.busy, "nobody waits for this")
        }

        func close() async {}
    }

    /// What came of a command, and what was waited for. All the time there is passes once the agent is asked.
    private func run(_ line: String) async -> (CommandLineRun.Outcome, [Duration]) {
        let waits = Locked<[Duration]>([])
        let agent = StoppedAgent()
        let outcome = await CommandLineRun(
            session: agent,
            pause: { duration in
                waits.withLock { $0.append(duration) }
                while !agent.isAsked { try await Task.sleep(for: .milliseconds(1)) }
            })(line)
        return (outcome, waits.withLock { $0 })
    }

    @Test(
        "is given up after --timeout, by health and version after five seconds unless given, with exit code 3",
        arguments: [
            ("health", 5, "health"), ("version", 5, "version"), ("health --timeout 2m", 120, "health"),
            ("issuer list --timeout 1s", 1, "issuer-list"), ("rotate demo --yes --timeout 30s", 30, "rotate"),
            ("call reload --timeout 3s", 3, "reload"), ("jwt issue demo --subject s --audience a --timeout 3s", 3, "sign"),
        ])
    func givesUp(line: String, seconds: Int, method: String) async throws {
        let (outcome, waits) = await run(line)
        #expect(outcome.status == 3)
        #expect(Set(waits) == [.seconds(seconds)])
        let named =
            method == "rotate"
            ? outcome.errors.contains(" did not answer ") : outcome.errors.contains(" did not answer \(method) ")
        #expect(named && outcome.errors.contains("hint: see whether it hangs"), "\(outcome.errors)")
        #expect(line.hasPrefix("version") != outcome.output.isEmpty)
    }

    @Test("an answer in time is one, however often time is asked of it")
    func inTime() async {
        let waits = Locked<[Duration]>([])
        let outcome = await CommandLineRun(
            agent: CommandTests.status,
            pause: { duration in
                waits.withLock { $0.append(duration) }
                try await Task.sleep(for: .seconds(3600))
            })("issuer status demo --timeout 7s")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(Set(waits.withLock { $0 }).isSubset(of: [.seconds(7)]))
    }

    @Test("without a timeout, and for what has none of its own, nobody counts the time")
    func withoutEnd() async {
        let outcome = await CommandLineRun(
            agent: CommandTests.status, pause: { _ in Issue.record("time was counted") })("issuer status demo")
        #expect(outcome.status == 0)
    }

    @Test("no time at all, and what is no duration, is a mistake of the command line", arguments: ["0s", "5", "-1s", "soon"])
    func noTimeout(text: String) async {
        let (outcome, _) = await run("health --timeout \(text)")
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("timeout"), "\(outcome.errors)")
    }
}
