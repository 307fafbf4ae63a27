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

    @Test("a log that lost its beginning to rotation is intact, and says with which record it begins")
    func beginning() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(10)
            try audit.replace(Array(try audit.lines()[4...]))
            let verification = try audit.verification()
            #expect(verification.isIntact)
            #expect(verification.first == 4)
            #expect(verification.last == 9)
            #expect(verification.records == 6)
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

    @Test("a signed head proves the records before it, and not those after")
    func heads() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            try await audit.logged { log in
                log.signHeads(with: signer)
                for number in 1...5 { try await log.written(.sample(number)) }
                await log.signHead()
                for number in 7...9 { try await log.written(.sample(number)) }
            }
            let verification = try audit.verification(keys: signer.publicKeys)
            #expect(verification.isIntact)
            #expect(verification.proof?.seq == 5)
            #expect(verification.last == 9)
        }
    }

    @Test("a log that was written anew as a whole is intact without the key, and found out with it")
    func rewritten() async throws {
        try await AuditFixture.with { audit in
            let (signer, forger) = (SoftwareSigner(), SoftwareSigner())
            try await audit.logged { log in
                log.signHeads(with: forger)
                for number in 1...5 { try await log.written(.sample(number)) }
                await log.signHead()
            }
            #expect(try audit.verification().isIntact)
            let verification = try audit.verification(keys: signer.publicKeys)
            #expect(!verification.isIntact)
            #expect(verification.proof == nil)
            #expect(verification.findings.first?.message.contains("is signed by another key") == true)
        }
    }

    @Test("a genuine head in a log that was written anew before it is found")
    func headOfAnotherLog() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            let other = try await SignedHead(of: AuditLink(seq: 2, hash: [UInt8](repeating: 7, count: 32)), signedBy: signer)
            try await audit.write(5)
            // A chain that somebody makes with the genuine head in it.
            let last = AuditLine(Array(try audit.lines()[4].utf8)[...])
            var chain = AuditChain(after: last?.link)
            var bytes = Array((try audit.lines().joined(separator: "\n") + "\n").utf8)
            chain.append(.head(other), atMilliseconds: 0, to: &bytes)
            try Data(bytes).write(to: URL(fileURLWithPath: audit.path))
            let findings = try audit.findings(keys: signer.publicKeys)
            #expect(findings.count == 1)
            #expect(findings.first?.hasPrefix("audit.log:6: record 2 is not the one that head record 5 was signed for") == true)
        }
    }

    @Test("with a key, a log without any head proves nothing and is not taken for intact")
    func noHeads() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(5)
            let verification = try audit.verification(keys: SoftwareSigner().publicKeys)
            #expect(verification.findings.isEmpty)
            #expect(!verification.isIntact)
        }
    }
}
