import AgentProtocol
import Foundation
import TestSupport
import Testing

@testable import AgentClient

@Suite("An agent at which too many wait already")
struct BusyAgentTests {
    @Test("is connected to as soon as there is room again")
    func roomAgain() async throws {
        try await withFullListener { listener, path in
            let client = try await AgentConnection.connect(socketPath: path, patience: .seconds(60)) { _ in
                // The first attempt has failed.
                listener.empty()
            }
            await client.close()
        }
    }

    @Test("is given up when patience has ended, and the error says what is the matter")
    func patience() async throws {
        try await withFullListener { _, path in
            let error = await #expect(throws: AgentUnreachable.self) {
                try await AgentConnection.connect(socketPath: path, patience: .milliseconds(5))
            }
            #expect(error?.code == .busy)
            #expect(error?.isOutcomeUnknown == false)
            #expect(error?.message == "too many connections wait at \(path) already")
        }
    }

    @Test("is waited for no longer once the task is cancelled")
    func cancelled() async throws {
        try await withFullListener { _, path in
            let attempt = Task { try await AgentConnection.connect(socketPath: path, patience: .seconds(600)) }
            attempt.cancel()
            let error = await #expect(throws: AgentUnreachable.self) { try await attempt.value }
            #expect(error?.code == .busy)
        }
    }

    @Test("the pauses grow to 100 ms, are shortened by half at most, and end with the patience", arguments: [0, 0.5, 1, 7, -1])
    func pauses(random: Double) {
        var pauses = ConnectPauses(patience: .seconds(1))
        var all: [Duration] = []
        while let pause = pauses.pause(random: random) { all.append(pause) }
        #expect(all.reduce(.zero, +) == .seconds(1))
        let part = 1 - min(max(random, 0), 1) / 2
        #expect(all[0] == .milliseconds(1) * part && all[1] == .milliseconds(2) * part)
        #expect(all.dropLast().last == .milliseconds(100) * part)
    }

    private func withFullListener(_ body: (FullListener, String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/full.sock"
            try await body(try FullListener(at: path), path)
        }
    }
}
