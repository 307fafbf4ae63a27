import AgentClient
import AgentProtocol
import Foundation
import Platform
import Testing

@testable import Agent

@Suite("How much one user may have the audit log grow")
struct AuditBudgetTests {
    private static let hour: Int64 = 3_600 * 1_000_000_000

    @Test("a day's share is used up by what is recorded, comes back evenly, and is each user's own")
    func share() {
        var budget = AuditBudget(limit: 24_000)
        func charge(_ bytes: Int, at now: Int64) -> Bool { budget.charge(1, bytes, at: now) }
        #expect(!charge(23_999, at: 0) && !budget.isOver(1, at: 0))
        #expect(charge(1, at: 0) && budget.isOver(1, at: 0))
        #expect(!budget.isOver(2, at: 0))
        #expect(!budget.isOver(1, at: Self.hour))
        // An hour gives back an hour's share and no more.
        #expect(charge(1_001, at: Self.hour) == false && budget.isOver(1, at: Self.hour))
        #expect(!budget.isOver(1, at: 0, times: 2))
        _ = charge(24_000, at: Self.hour)
        #expect(budget.isOver(1, at: Self.hour, times: 2))
        #expect(!budget.isOver(1, at: 100 * Self.hour))
        #expect(charge(23_999, at: 100 * Self.hour) == false)
        #expect(charge(1, at: 100 * Self.hour), "it is told again")
    }

    @Test("a monotonic clock that stands still or a user without a bound is no division by zero, and no refusal")
    func unbounded() {
        var budget = AuditBudget(limit: nil)
        for _ in 1...1_000 {
            let isTold = budget.charge(1, 1 << 40, at: 0)
            #expect(!isTold)
        }
        #expect(!budget.isOver(1, at: 0))
    }

    @Test(
        "one that has used up its share signs and reads no more, nothing goes unrecorded, changes go on, and time gives it back")
    func refused() async throws {
        try await AgentFixture.stopped { agent in
            agent.configuration.withLock { $0.audit.limitPerUser = 20_000 }
            try await agent.start()
            try await agent.connected { client in
                try await client.create(standby: false)
                var signed = 0
                let over = try await refusal {
                    while signed < 1_000 {
                        _ = try await client.sign()
                        signed += 1
                    }
                }
                #expect(over.reason == .rateLimited && over.message.contains("audit log"))
                #expect(signed > 10 && signed < 60)
                #expect(try agent.audited("sign").filter { $0["outcome"]?.string == "allowed" }.count == signed)
                #expect(try await refusal { _ = try await client.status() }.reason == .rateLimited)
                _ = try await client.health()
                _ = try await client.discovery()
                _ = try await client.rotate()
                // What it is denied does not make the log grow without bound either.
                let before = try agent.denials()
                for _ in 1...200 { _ = try await refusal { _ = try await client.sign() } }
                #expect(try agent.denials() <= before + 1)
                await agent.pass(6 * 3_600)
                _ = try await client.sign()
                _ = try await client.status()
            }
        }
    }

    @Test("changes have a bound too, at twice the share")
    func changes() async throws {
        try await AgentFixture.stopped { agent in
            agent.configuration.withLock { $0.audit.limitPerUser = 4_000 }
            try await agent.start()
            try await agent.connected { client in
                var made = 0
                let over = try await refusal {
                    while made < 100 {
                        _ = try await client.call(ReloadParameters())
                        made += 1
                    }
                }
                #expect(over.reason == .rateLimited && made > 4 && made < 20)
            }
        }
    }
}

extension AgentFixture {
    fileprivate func denials() throws -> Int {
        try audited().filter { $0["outcome"]?.string == "denied" }.count
    }
}
