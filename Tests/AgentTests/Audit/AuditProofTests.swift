import Foundation
import JOSE
import Testing

@testable import Agent

@Suite("What is proven of an audit log")
struct AuditProofTests {
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
            #expect(verification.verdict == .proven)
            #expect(verification.proof?.seq == 5)
            #expect(verification.last == 9)
        }
    }

    @Test("a log that was written anew as a whole is not proven without the key, and found out with it")
    func rewritten() async throws {
        try await AuditFixture.with { audit in
            let (signer, forger) = (SoftwareSigner(), SoftwareSigner())
            try await audit.logged { log in
                log.signHeads(with: forger)
                for number in 1...5 { try await log.written(.sample(number)) }
                await log.signHead()
            }
            #expect(try audit.verification().verdict == .unproven)
            let verification = try audit.verification(keys: signer.publicKeys)
            #expect(verification.verdict == .notIntact)
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
            try audit.forge(keeping: 5, [(.head(other), after: 0)])
            let findings = try audit.findings(keys: signer.publicKeys)
            #expect(findings.count == 1)
            #expect(findings.first?.hasPrefix("audit.log:6: record 2 is not the one that head record 5 was signed for") == true)
        }
    }

    @Test("with a key, a log without any head is not proven, nor is one without records")
    func noHeads() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(5)
            let verification = try audit.verification(keys: SoftwareSigner().publicKeys)
            #expect(verification.findings.isEmpty)
            #expect(verification.verdict == .unproven)
            try audit.replace([], ending: "")
            #expect(try audit.verification(keys: SoftwareSigner().publicKeys).verdict == .unproven)
        }
    }

    @Test("a log written anew from its first head on, by whoever has no key, is not proven: the head is too old beside it")
    func rewrittenAfterFirstHead() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            try await audit.signedDay(signer)
            #expect(try audit.verification(keys: signer.publicKeys).verdict == .proven)
            let harmless = AuditText(.sample(1), executable: nil)
            try audit.forge(keeping: 2, (1...20).map { (harmless, after: $0 * 3_600) })
            let verification = try audit.verification(keys: signer.publicKeys)
            #expect(verification.findings.isEmpty && verification.proof?.seq == 0)
            #expect(verification.verdict == .unproven)
            #expect(verification.doubts.first?.message.contains("1200 minutes younger than the last proof") == true)
            // What an agent that signs once a day may have written.
            #expect(try audit.verification(keys: signer.publicKeys, headInterval: 86_400).verdict == .proven)
        }
    }

    @Test("after a quiet time the first record is signed at once, so that a genuine log is proven at any moment")
    func quietTime() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            try await audit.logged { log async throws in
                log.signHeads(with: signer)
                await log.signHead()
                for hours in [1, 30, 2] {
                    audit.clock.pass(hours * 3_600)
                    // Nothing is new: nothing is signed.
                    log.doWhatIsDue()
                    try await log.written(.sample(hours))
                    let before = try audit.lines().count
                    log.doWhatIsDue()
                    while try audit.lines().count == before { await Task.yield() }
                    #expect(try audit.verification(keys: signer.publicKeys).verdict == .proven)
                }
            }
            #expect(try audit.lines().count == 8)
        }
    }

    @Test("a log that begins late is not proven, unless the head that its beginning follows was noted")
    func beginning() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            try await audit.signedDay(signer)
            let (noted, other) = (try audit.head(ofLine: 3), try audit.head(ofLine: 2))
            try audit.replace(Array(try audit.lines()[4...]))
            let verification = try audit.verification(keys: signer.publicKeys)
            #expect(verification.verdict == .unproven)
            #expect(verification.first == 4 && verification.findings.isEmpty)
            #expect(verification.doubts.map(\.message) == ["records 0 to 3 are not there"])
            #expect(try audit.verification(keys: signer.publicKeys, expecting: [noted]).verdict == .proven)
            // One from before does not say that the file follows it.
            #expect(try audit.verification(keys: signer.publicKeys, expecting: [other]).verdict == .unproven)
            let wrong = KnownHead(AuditLink(seq: 3, hash: other.link.hash))
            #expect(try audit.verification(keys: signer.publicKeys, expecting: [wrong]).verdict == .notIntact)
        }
    }

    @Test("a head that claims a number above its own proves nothing")
    func movedHead() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            try await audit.signedDay(signer)
            let line = try #require(AuditLine(Array(try audit.lines().last!.utf8)[...]))
            guard case .head(let head) = line.kind else { throw CocoaError(.coderInvalidValue) }
            // A short log, put in the place of the long one, with the last of its heads.
            let harmless = AuditText(.sample(1), executable: nil)
            try audit.forge(keeping: 2, [(harmless, after: 1), (.head(head), after: 2)])
            let verification = try audit.verification(keys: signer.publicKeys)
            #expect(verification.verdict == .unproven)
            #expect(verification.proof?.seq == 0)
            #expect(
                verification.doubts.map(\.message) == ["head record 3 is for record \(head.link.seq), which no log had before it"]
            )
        }
    }

    @Test("a head noted elsewhere shows what was cut off after the last signature, and what was written anew")
    func expectedHead() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            try await audit.signedDay(signer)
            let genuine = try audit.lines()
            let noted = try audit.head(ofLine: genuine.count - 1)
            #expect(try audit.verification(keys: signer.publicKeys, expecting: [noted]).verdict == .proven)
            // It vouches for the log without any key as well.
            let unsigned = try audit.verification(expecting: [noted])
            #expect(unsigned.verdict == .proven && unsigned.proof?.isSigned == false && unsigned.proof?.seq == noted.seq)

            // As far as the last but one head this is a genuine log.
            try audit.replace(Array(genuine.dropLast(2)))
            #expect(try audit.verification(keys: signer.publicKeys).verdict == .proven)
            let cut = try audit.verification(keys: signer.publicKeys, expecting: [noted])
            #expect(cut.verdict == .notIntact)
            #expect(
                cut.findings.first?.message.contains("record \(noted.seq), noted elsewhere, is not there: the log ends with")
                    == true)

            let harmless = AuditText(.sample(1), executable: nil)
            try audit.forge(keeping: genuine.count - 2, [(harmless, after: 86_400), (harmless, after: 86_400)])
            #expect(try audit.verification(keys: signer.publicKeys).verdict == .proven)
            let anew = try audit.verification(keys: signer.publicKeys, expecting: [noted])
            #expect(
                anew.findings.map(\.message) == [
                    "record \(noted.seq) is not the one that was noted elsewhere: the log was written anew"
                ])

            try audit.replace([], ending: "")
            #expect(try audit.verification(keys: signer.publicKeys, expecting: [noted]).verdict == .notIntact)
        }
    }

    @Test("a noted head is a number and a hash, and is read back as it was printed")
    func knownHead() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            let head = try KnownHead.last(in: audit.path)
            #expect(head.seq == 2 && KnownHead(head.description) == head)
            #expect(try head == audit.head(ofLine: 2))
            try audit.rotate()
            #expect(try KnownHead.last(in: audit.directory + "/" + audit.compress("audit.log.1")) == head)
            let digits = String(repeating: "a", count: 64)
            for text in ["", "1", "1:", ":\(digits)", "-1:\(digits)", "1:\(digits)a", "1:\(digits.uppercased())", "x:\(digits)"] {
                #expect(KnownHead(text) == nil, "\(text)")
            }
            try audit.replace(["hello"])
            #expect(throws: AuditError(.damaged, "", hint: "")) { try KnownHead.last(in: audit.path) }
        }
    }

    // MARK: - Compressed files

    @Test("compressed files verify as one chain with plain ones")
    func compressed() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            for number in 2...4 {
                try await audit.logged { log in
                    log.signHeads(with: signer)
                    for _ in 1...200 { try await log.written(.sample()) }
                    await log.signHead()
                }
                if number < 4 { try audit.rotate(to: "audit.log.\(number)") }
                if number == 3 { try audit.compress("audit.log.2") }
            }
            let files = ["audit.log.2.gz", "audit.log.3", "audit.log"]
            #expect(try audit.verification(files, keys: signer.publicKeys).verdict == .proven)
            try audit.compress("audit.log.3")
            let verification = try audit.verification(["audit.log.2.gz", "audit.log.3.gz", "audit.log"], keys: signer.publicKeys)
            #expect(verification.verdict == .proven && verification.records == 604)
        }
    }

    @Test("a compressed file that is cut short or damaged is named as such, once")
    func cutShort() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(10)
            try audit.rotate()
            let path = audit.directory + "/" + (try audit.compress("audit.log.1"))
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            try whole.prefix(whole.count - 5).write(to: URL(fileURLWithPath: path))
            #expect(
                try audit.findings(["audit.log.1.gz"])
                    == ["audit.log.1.gz:11: the gzip file is cut short: its compressed data has no end"])
            var changed = whole
            changed[changed.count - 6] ^= 1
            try changed.write(to: URL(fileURLWithPath: path))
            #expect(try audit.findings(["audit.log.1.gz"]) == ["audit.log.1.gz:11: the gzip data is damaged"])
        }
    }

    @Test("what is compressed otherwise is not taken for a log that somebody has changed")
    func otherCompression() async throws {
        try await AuditFixture.with { audit in
            try Data([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00, 0x00]).write(to: URL(fileURLWithPath: audit.path))
            let error = #expect(throws: (any Error).self) { try audit.verification() }
            #expect("\(error!)".contains("is compressed by xz"))
        }
    }

    @Test("a line of any length is one finding, and is not held as a whole")
    func endless() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            let lines = try audit.lines()
            try audit.replace([lines[0], String(repeating: "0", count: 5 << 20), lines[1], lines[2]])
            try audit.rotate()
            try audit.compress("audit.log.1")
            #expect(
                try audit.findings(["audit.log.1.gz"])
                    == ["audit.log.1.gz:2: this is no record of an audit log; it was changed or put there"])
            var longest = 0
            try AuditLines.read(audit.directory + "/audit.log.1.gz") { line, _ in longest = max(longest, line.count) }
            #expect(longest == AuditLines.longest)
        }
    }
}

extension AuditFixture {
    /// A log of a day with a head every hour, the first after record 0.
    func signedDay(_ signer: SoftwareSigner) async throws {
        try await logged { log async throws in
            log.signHeads(with: signer)
            await log.signHead()
            for hour in 1...24 {
                clock.pass(3_600)
                try await log.written(.sample(hour))
                await log.signHead()
            }
        }
    }
}
