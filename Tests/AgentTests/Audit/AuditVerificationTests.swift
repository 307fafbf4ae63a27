import Foundation
import Testing

@testable import Agent

@Suite("Verifying the audit log")
struct AuditVerificationTests {
    /// What somebody does to the lines of a log of records 0 to 9, and what is found.
    struct Tampering: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var ending = "\n"
        let change: @Sendable (inout [String]) -> Void
        let found: [String]
    }

    static let tamperings = [
        Tampering(
            testDescription: "a member is changed", change: { $0[4].replace("payments:api", with: "payments:bad") },
            found: ["audit.log:5: record 4 was changed: record 5"]),
        Tampering(
            testDescription: "a time is changed", change: { $0[4].replace("\"time\":\"20", with: "\"time\":\"19") },
            found: ["audit.log:5: record 4 was changed: record 5"]),
        Tampering(
            testDescription: "a line is removed", change: { $0.remove(at: 3) },
            found: ["audit.log:4: missing before this line, after record 2 (", "record 3"]),
        Tampering(
            testDescription: "several lines are removed", change: { $0.removeSubrange(3...6) },
            found: ["audit.log:4: missing before this line, after record 2 (", "record 3 to 6"]),
        Tampering(
            testDescription: "two lines change places", change: { $0.swapAt(5, 6) },
            found: ["audit.log:7: record 5 is out of order: it stands after record 6"]),
        Tampering(
            testDescription: "a line is there twice", change: { $0.insert($0[2], at: 7) },
            found: ["audit.log:8: record 2 is there a second time"]),
        Tampering(
            testDescription: "a line is replaced by something else", change: { $0[5] = "nothing to see here" },
            found: ["audit.log:6: this is no record of an audit log"]),
        Tampering(
            testDescription: "an empty line is put in", change: { $0.insert("", at: 5) },
            found: ["audit.log:6: this is no record of an audit log"]),
        Tampering(
            testDescription: "the last line is cut", ending: "", change: { $0[9].removeLast(20) },
            found: ["audit.log:10: the record is cut short"]),
        Tampering(
            testDescription: "the hash of the record before is changed",
            change: {
                $0[6].replaceSubrange(
                    $0[6].range(of: "\"prev\":\"")!.upperBound..., with: String(repeating: "0", count: 64) + "\"}")
            },
            found: ["audit.log:6: record 5 was changed", "audit.log:7: record 6 was changed"]),
        Tampering(
            testDescription: "the first record names one before it",
            change: { $0[0].replace(String(repeating: "0", count: 64), with: String(repeating: "a", count: 64)) },
            found: ["audit.log:1: record 0 names a record before it", "audit.log:1: record 0 was changed"]),
    ]

    @Test("each tampering is found and named", arguments: tamperings)
    func tampering(_ tampering: Tampering) async throws {
        try await AuditFixture.with { audit in
            try await audit.write(10)
            #expect(try audit.findings() == [])
            var lines = try audit.lines()
            tampering.change(&lines)
            try audit.replace(lines, ending: tampering.ending)
            let findings = try audit.findings().joined(separator: "\n")
            for found in tampering.found { #expect(findings.contains(found), "\(findings)") }
            #expect(findings.split(separator: "\n").count <= tampering.found.count, "\(findings)")
        }
    }

    @Test("files given in another order than they were written in are out of order")
    func fileOrder() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(4)
            try audit.rotate()
            try await audit.logged { log in try await log.written(.sample(4)) }
            #expect(try audit.findings(["audit.log.1", "audit.log"]) == [])
            #expect(try audit.findings(["audit.log", "audit.log.1"]).first?.contains("audit.log.1:1") == true)
        }
    }

    @Test("a log that begins anew in the middle is named")
    func newBeginning() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(4)
            try audit.rotate(to: "old")
            try await audit.write(3)
            #expect(
                try audit.findings(["old", "audit.log"])
                    == ["audit.log:1: the log begins anew here: record 3 was the last one before"])
        }
    }
}
