import AgentProtocol
import Foundation
import Platform
import SoftHSMSupport
import Testing

@testable import Agent

@Suite("An agent that is flooded")
struct FloodTests {
    /// Runs an agent with an issuer `demo`, whose clocks run unless they are to stand still.
    private func flooded(isRunning: Bool = true, _ body: (AgentFixture) async throws -> Void) async throws {
        try await SoftHSMToken.with { token in
            let fixture = try AgentFixture(token, clock: TestClock(isRunning: isRunning))
            try await fixture.stoppedAfter { agent in
                try await agent.start()
                try await agent.connected { _ = try await $0.create("demo") }
                try await body(agent)
            }
        }
    }

    private static let empty = [UInt8(ascii: "\n")]

    private static func line(_ number: Int, _ method: String, _ params: String = "{}") -> [UInt8] {
        Array(#"{"jsonrpc":"2.0","id":\#(number),"method":"\#(method)","params":\#(params)}"#.utf8) + empty
    }

    @Test("every useless line gets its reply, however late, and what is of use beside it too")
    func uselessLines() async throws {
        try await flooded { agent in
            let client = try RawSocket(agent.socketPath)
            let sending = Array(repeatElement(Self.empty, count: 300).joined()) + Self.line(1, "version")
            async let sent: Void = client.send(sending)
            for _ in 1...300 { #expect(try await client.reply()["error"] != nil) }
            #expect(try await client.reply()["id"] == 1)
            try await sent
        }
    }

    @Test("what a caller has sent before it went is not waited for when it is more than may be read")
    func goneCallers() async throws {
        try await flooded { agent in
            let listener = try #require(agent.server?.listener)
            for _ in 1...10 {
                let client = try RawSocket(agent.socketPath)
                // At the pace of a flood these would take the agent hours.
                try await client.send(Array(repeatElement(Self.empty, count: 20_000).joined()))
            }
            #expect(await eventually { listener.connections.count == 0 })
        }
    }

    @Test("denied and unreadable lines count, each once, and those that are refused for other reasons do not")
    func whatCounts() async throws {
        try await flooded(isRunning: false) { agent in
            let conduct = try #require(agent.server?.gate.conduct)
            let client = try RawSocket(agent.socketPath)
            let uid = getuid()
            func cost(_ line: String) async throws -> Int {
                let before = conduct.account(of: .user(uid)).linesLeft
                _ = try await client.ask(line)
                return Int(before - conduct.account(of: .user(uid)).linesLeft)
            }
            #expect(try await cost("") == 1)
            #expect(try await cost("{") == 1)
            #expect(try await cost(#"{"jsonrpc":"2.0","id":1,"method":"no-such"}"#) == 1)
            #expect(try await cost(#"{"jsonrpc":"2.0","id":1,"method":"issuer-status","params":{"issuer":"none"}}"#) == 0)
            #expect(try await cost(#"{"jsonrpc":"2.0","id":1,"method":"sign","params":{"issuer":"demo"}}"#) == 0)
            agent.useAccess([AccessRule(name: "test", user: uid, methods: [.version])])
            #expect(try await cost(#"{"jsonrpc":"2.0","id":1,"method":"issuer-list"}"#) == 1)
        }
    }

    @Test("requests other than sign are carried out a few at a time, and each gets one reply")
    func operations() async throws {
        try await flooded { agent in
            let clients = try (1...20).map { _ in try RawSocket(agent.socketPath) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in clients {
                    group.addTask {
                        let lines = (1...50).flatMap { Self.line($0, "issuer-list") }
                        async let sent: Void = client.send(lines)
                        var ids: Set<Int64> = []
                        for _ in 1...50 {
                            let reply = try await client.reply()
                            #expect(reply["result"] != nil)
                            if case .integer(let id)? = reply["id"] { ids.insert(id) }
                        }
                        #expect(ids.count == 50)
                        try await sent
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("what nobody reads is held within bounds, and given back when the callers are gone")
    func unreadReplies() async throws {
        try await flooded { agent in
            for number in 1...20 { try await agent.connected { _ = try await $0.create("issuer-\(number)", standby: false) } }
            let listener = try #require(agent.server?.listener)
            var clients: [RawSocket] = []
            for _ in 1...40 {
                let client = try RawSocket(agent.socketPath)
                clients.append(client)
                // Fits in the socket's buffer, read or not.
                try await client.send((1...200).flatMap { Self.line($0, "issuer-list") })
            }
            // Somebody else's request gets through all the same.
            try await agent.connected { _ = try await $0.sign() }
            #expect(await eventually { listener.connections.heldBytes > 1 << 20 })
            // A party's part, and the replies of what had begun by then.
            #expect(listener.connections.heldBytes < 12 << 20)
            clients = []
            #expect(await eventually { listener.connections.heldBytes == 0 })
        }
    }

    @Test("long lines that come in pieces on many connections at once all get their replies")
    func longLines() async throws {
        try await flooded { agent in
            let clients = try (1...100).map { _ in try RawSocket(agent.socketPath) }
            let text = String(repeating: "x", count: 60_000)
            let line =
                Array(#"{"jsonrpc":"2.0","id":1,"method":"issuer-status","params":{"issuer":"\#(text)"}}"#.utf8) + Self.empty
            // More than a party's part together, and none of them whole.
            for client in clients { try await client.send(Array(line.prefix(50_000))) }
            for client in clients { try await client.send(Array(line.dropFirst(50_000))) }
            for client in clients { #expect(try await client.reply()["error"] != nil) }
        }
    }

    @Test("a user that no rule is for has four connections, and all such users sixteen")
    func strangers() async throws {
        try await flooded { agent in
            agent.useAccess([AccessRule(name: "somebody else", user: getuid() + 1, methods: nil)])
            var clients: [RawSocket] = []
            for _ in 1...4 {
                let client = try RawSocket(agent.socketPath)
                #expect(try await client.ask(#"{"jsonrpc":"2.0","id":1,"method":"version"}"#)["id"] == 1)
                clients.append(client)
            }
            let fifth = try RawSocket(agent.socketPath)
            #expect(try await fifth.reply()["error"]?["data"]?["reason"]?.string == "RATE_LIMITED")
        }
    }

    @Test("there are no more connections than descriptors allow, and the log says so")
    func descriptors() {
        let limits = ConnectionLimits()
        #expect(limits.within(DescriptorLimit(soft: 65_536, hard: 65_536), sessions: 4) == limits)
        let few = limits.within(DescriptorLimit(soft: 1_024, hard: 1_024), sessions: 4)
        #expect(few.total == 1_024 - 128 - 8 && few.perUser == 256)
        let least = limits.within(DescriptorLimit(soft: 64, hard: 64), sessions: 16)
        #expect(least.total == 8 && least.perUser == 8)
    }
}
