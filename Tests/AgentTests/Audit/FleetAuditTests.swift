import Foundation
import Platform
import TestSupport
import Testing

@testable import Agent

@Suite("The audit logs of a fleet")
struct FleetAuditTests {
    /// What has been done to the logs, or by the agents, and what verification makes of it.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let verdict: AuditVerification.Verdict
        /// Each is in one of the lines that are said, and there are no more lines than these.
        let said: [String]
        let agents: [String]
        let write: @Sendable (FleetLogs) async throws -> Void
        let change: @Sendable (inout [String: [String]]) throws -> Void
        var testDescription: String { name }

        init(
            _ name: String, _ verdict: AuditVerification.Verdict, _ said: [String], agents: [String] = ["a", "b", "c"],
            write: @escaping @Sendable (FleetLogs) async throws -> Void = FleetAuditTests.genuine,
            change: @escaping @Sendable (inout [String: [String]]) throws -> Void = { _ in }
        ) {
            (self.name, self.verdict, self.said, self.agents, self.write, self.change) =
                (name, verdict, said, agents, write, change)
        }
    }

    /// Generations 1 to 4 of an issuer by three agents, its end, and a new one of its name.
    @Sendable static func genuine(_ logs: FleetLogs) async throws {
        try await story(logs)
    }

    private static func story(
        _ logs: FleetLogs, third: [AuditChange.Step] = [.begun, .made], deletion: [AuditChange.Step] = [.begun, .made],
        _ more: (FleetLogs) async throws -> Void = { _ in }
    ) async throws {
        logs.begin("a", "b", "c")
        try await logs.exchange()
        logs.rotate()
        logs.change("a", 1, revision: 10, created: true)
        logs.change("a", 2, revision: 12)
        logs.change("c", 3, revision: 15, steps: third)
        logs.change("b", 4, revision: 20)
        // One lost, which the other one made.
        logs.change("c", 4, revision: 0, steps: [.begun, .lost])
        logs.change("c", 4, revision: 22, deleted: true, steps: deletion)
        logs.change("b", 5, revision: 25, created: true)
        try await more(logs)
        logs.rotate()
        try await logs.goOn()
        try await logs.goOn()
    }

    static let cases = [
        Case("genuine", .proven, []),
        Case("the order of the files is all the same", .proven, [], agents: ["c", "a", "b"]),
        Case(
            "one is cut off after its last head but one", .notIntact,
            [
                "the log of agent b is cut off: its head of record 15 was noted here at",
                "the log of agent b is cut off: its head of record 15 was noted here at",
            ], change: { logs in logs["b"]?.removeLast(4) }),
        Case(
            "one is written anew by who has its key", .notIntact,
            [
                "record 1 of agent b is not the one whose head agent a noted here",
                "record 1 of agent b is not the one whose head agent c noted here",
            ],
            write: { logs in
                try await story(logs)
                logs.rewrite("b")
                try await logs.sign("b")
                for generation in [4, 5] {
                    logs.change("b", generation, revision: generation == 4 ? 20 : 25, created: generation == 5)
                }
                for _ in 0..<20 { logs.operation("b") }
                try await logs.sign("b")
            }),
        Case(
            "a change stands in none, since its agent did not record it", .notIntact,
            ["generation 3 of demo stands in no log; it was made between"],
            write: { try await story($0, third: []) }),
        Case(
            "one stands as begun, since its agent ended at that moment", .proven,
            ["generation 3 of demo was begun by agent c (c.log:7), which did not learn what came of it; it was made"],
            write: { try await story($0, third: [.begun]) }),
        Case(
            "one is undecided, since the store did not answer", .proven,
            ["generation 3 of demo was begun by agent c (c.log:7)"],
            write: { try await story($0, third: [.begun, .undecided]) }),
        Case(
            "one was lost to an agent that did not record it", .unproven,
            ["generation 3 of demo stands in no log as made; agent c has tried it (c.log:7) and lost it to another agent"],
            write: { try await story($0, third: [.begun, .lost]) }),
        Case(
            "a deletion stands in none", .notIntact, ["the deletion of demo at generation 4 stands in no log"],
            write: { try await story($0, deletion: []) }),
        Case(
            "a change stands in two", .notIntact,
            ["generation 4 of demo stands as made in two places, here and in a.log:", "with revision 20"],
            write: { logs in try await story(logs) { logs in logs.change("a", 4, revision: 20) } }),
        Case(
            "a revision stands in two", .notIntact, ["revision 20 of the store stands in two logs, here and in a.log:"],
            write: { logs in try await story(logs) { logs in logs.change("a", 1, of: "other", revision: 20, created: true) } }),
        Case(
            "revisions do not go on with generations", .notIntact,
            ["generation 6 of demo has revision 24, and the generation before it (b.log:"],
            write: { logs in try await story(logs) { logs in logs.change("a", 6, revision: 24) } }),
        Case(
            "an operator has put the store back to an earlier day", .proven, [],
            write: { logs in
                try await story(logs)
                logs.pass(500)
                logs.write(.change(AuditChange(.settling)), to: "a")
                logs.change("a", 4, revision: 17, steps: [.made])
                logs.change("b", 5, revision: 19)
                try await logs.goOn()
            }),
        Case(
            "the log of a member was not given", .unproven,
            [
                "no log of agent c was given, and its head of record", "generation 3 of demo stands in no log",
                "the deletion of demo at generation 4 stands in no log",
            ], agents: ["a", "b"]),
        Case(
            "a log begins later than the others", .unproven,
            ["records 0 to 4 are not there", "what was given of agent b begins with record 5"],
            change: { logs in logs["b"]?.removeFirst(5) }),
        Case(
            "what is missing may stand in what was given up", .unproven,
            [
                "records 0 to 11 are not there", "what was given of agent c begins with record 12",
                "generation 3 of demo stands in no log", "and what was given of agent c begins later",
                "the deletion of demo at generation 4 stands in no log",
            ], change: { logs in logs["c"]?.removeFirst(12) }),
        Case(
            "what is missing may stand in what came after a copy was made", .unproven,
            ["generation 6 of demo stands in no log; it was made between", "and what was given of agent a ends earlier"],
            write: { logs in
                try await story(logs)
                logs.pass(500)
                logs.change("b", 7, revision: 90)
                try await logs.sign("b")
            }),
        Case(
            "a head was put into the store by somebody else", .notIntact,
            ["the head that was noted here of agent b is not signed by its audit key: somebody has put it into the store"],
            write: { logs in
                try await story(logs) { logs in
                    let link = AuditLink(seq: 900, hash: [UInt8](repeating: 7, count: 32))
                    logs.note("b", by: "a", SignedHead(link: link, kid: logs.logs["b"]!.head!.head.kid, signature: "AAAA"))
                }
            }),
        Case(
            "one has another agent's key sign", .notIntact,
            ["is signed by the audit key of agent a, and the log is that of b"],
            write: { logs in try await story(logs) { logs in try await logs.sign("b", by: "a") } }),
    ]

    @Test("what is missing, doubled, cut off or written anew is named, and what is right is not", arguments: cases)
    func judged(_ example: Case) async throws {
        try await withTemporaryDirectory { directory in
            let logs = FleetLogs(in: directory)
            try await example.write(logs)
            try logs.save(example.change)
            let verification = try logs.verification(example.agents)
            let said = verification.said(in: directory)
            #expect(verification.verdict == example.verdict, "\(said)")
            for part in example.said { #expect(said.contains { $0.contains(part) }, "\(part): \(said)") }
            #expect(said.count <= example.said.count, "\(said)")
            if example.verdict == .proven { #expect(verification.confirmedHeads > 0 && verification.changes.count > 0) }
        }
    }

    @Test("files are sorted by the logs they are of, rotated and compressed ones too")
    func files() async throws {
        try await withTemporaryDirectory { directory in
            let logs = FleetLogs(in: directory)
            try await Self.genuine(logs)
            try logs.save()
            // They are told by where one ends and the other begins.
            let lines = logs.logs["b"]!.lines
            for (name, part) in [("b.log.1", lines.prefix(6)), ("b.log", lines.dropFirst(6))] {
                try (part.joined(separator: "\n") + "\n").write(
                    toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
            }
            var verification = FleetAuditVerification(publicKeys: try logs.keys)
            try verification.read(["b.log.1", "a.log", "b.log", "c.log"].map { "\(directory)/\($0)" })
            #expect(verification.verdict == .proven, "\(verification.said(in: directory))")
            #expect(verification.logs.map(\.agents) == [["b"], ["a"], ["c"]])
            #expect(verification.logs.map(\.files.count) == [2, 1, 1])
        }
    }

    @Test("a noted head says of which log it is where there are several, and makes good for files that were given up")
    func notedHeads() async throws {
        try await withTemporaryDirectory { directory in
            let logs = FleetLogs(in: directory)
            try await Self.genuine(logs)
            let link = try #require(AuditLine(Array(logs.logs["a"]!.lines[4].utf8)[...])).link
            try logs.save { $0["a"]?.removeFirst(5) }
            #expect(try logs.verification().verdict == .unproven)
            let noted = try #require(KnownHead("a=\(KnownHead(link))"))
            #expect(noted.description == "a=\(link.seq):\(link.hashText)")
            #expect(try logs.verification(expecting: [noted]).verdict == .proven)
            #expect(throws: AuditError(.unusable, "", hint: "")) { try logs.verification(expecting: [KnownHead(link)]) }
            #expect(throws: AuditError(.unusable, "", hint: "")) { try logs.verification(["b", "c"], expecting: [noted]) }
            #expect(try logs.verification(["a"], expecting: [KnownHead(link)]).verdict == .proven)
            #expect(KnownHead("=\(KnownHead(link))") == nil)
        }
    }

    @Test("without keys the logs are held against each other all the same, and one alone is verified by itself")
    func withoutKeys() async throws {
        try await withTemporaryDirectory { directory in
            let logs = FleetLogs(in: directory)
            try await Self.genuine(logs)
            try logs.save { $0["b"]?.removeLast(4) }
            let verification = try logs.verification(keys: false)
            #expect(verification.findings.count == 2 && verification.verdict == .notIntact)
            // As far as its last head it is genuine, and of the others nothing is asked.
            let alone = try logs.verification(["b"])
            #expect(alone.verdict == .proven && alone.findings.isEmpty && alone.doubts.isEmpty)
        }
    }
}
