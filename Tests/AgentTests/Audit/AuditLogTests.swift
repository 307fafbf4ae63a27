import AgentProtocol
import Foundation
import KeyLifecycle
import Platform
import Testing

@testable import Agent

@Suite("The audit log")
struct AuditLogTests {
    @Test("a file that is none of the log's is not written to, nor shortened", arguments: ["1234567", "no record\n", "{\"a\":1"])
    func foreignFile(content: String) async throws {
        try await AuditFixture.with { fixture in
            try Data(content.utf8).write(to: URL(fileURLWithPath: fixture.path))
            try FileMode.set(0o600, of: fixture.path)
            #expect(throws: AuditError(.damaged, "", hint: "")) { try fixture.open() }
            #expect(try String(contentsOfFile: fixture.path, encoding: .utf8) == content)
        }
    }

    @Test("records that are gathered are written at once, and answered together")
    func gathering() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                let before = audit.faults.switches.withLock { $0.writes }
                let answered = Locked(0)
                log.gathering {
                    for number in 1...3 {
                        log.record(.sample(number)) { receipt in answered.withLock { $0 += receipt.error == nil ? 1 : 0 } }
                    }
                    #expect(answered.withLock { $0 } == 0)
                }
                #expect(answered.withLock { $0 } == 3)
                #expect(audit.faults.switches.withLock { $0.writes } == before + 1)
                try await log.written(.sample(4))
            }
            #expect(try audit.lines().count == 5)
        }
    }

    @Test("a record has its members in their order, and leaves out what is absent")
    func members() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try await log.written(.sample(7))
                try await log.written(
                    AuditRecord(
                        caller: Caller(uid: 4_000_000, gid: 5, pid: 2_000_000_000), method: .rotate, issuer: "prod",
                        outcome: .denied, reason: "not allowed"))
            }
            let lines = try audit.lines()
            #expect(
                lines[0]
                    == "{\"seq\":0,\"time\":\"2026-11-24T10:00:00.000Z\",\"prev\":\"" + String(repeating: "0", count: 64)
                    + "\",\"type\":\"start\"}")
            let program = try #require(ProcessExecutable.path(pid: getpid()))
            #expect(
                lines[1].hasSuffix(
                    """
                    "uid":1000,"user":"payments","gid":1000,"pid":\(getpid()),"exe":"\(program)","method":"sign",\
                    "issuer":"prod","kid":"kid-1","jti":"jti-7","sub":"system:serviceaccount:payments:api",\
                    "aud":["sts.amazonaws.com"],"lifetime":3600,"outcome":"allowed","micros":412}
                    """))
            #expect(
                lines[2].hasSuffix(
                    """
                    "uid":4000000,"gid":5,"pid":2000000000,"method":"rotate","issuer":"prod","outcome":"denied",\
                    "reason":"not allowed"}
                    """))
            #expect(try FileMode.of(audit.path) == 0o600)
        }
    }

    @Test(
        "what a caller says is escaped and bounded, and stays one line of JSON",
        arguments: [
            ("a\"b\\c", "a\"b\\c"), ("line\nfeed\u{0}\u{1F}\u{7F}", "line\nfeed\u{0}\u{1F}\u{7F}"), ("Zoë 🦭", "Zoë 🦭"),
            (String(repeating: "x", count: 256), String(repeating: "x", count: 256)),
            (String(repeating: "x", count: 300), String(repeating: "x", count: 256) + "…+44"),
            (String(repeating: "x", count: 254) + "🦭🦭", String(repeating: "x", count: 254) + "…+8"),
        ])
    func strings(_ said: String, _ recorded: String) async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                var record = AuditRecord.sample()
                record.sub = said
                record.aud = Array(repeating: said, count: 20)
                try await log.written(record)
            }
            let lines = try audit.lines()
            #expect(lines.count == 2)
            let object = try #require(JSONSerialization.jsonObject(with: Data(lines[1].utf8)) as? [String: Any])
            #expect(object["sub"] as? String == recorded)
            #expect((object["aud"] as? [String])?.count == 17)
            #expect((object["aud"] as? [String])?.last == "…+4")
            #expect(try audit.findings() == [])
        }
    }

    @Test("the chain goes on when the log is opened again")
    func reopened() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            try await audit.logged { log in try await log.written(.sample(3)) }
            #expect(try audit.lines().count == 4)
            #expect(try audit.findings() == [])
        }
    }

    @Test("threads that record at once get each their answer, and the chain holds")
    func concurrency() async throws {
        try await AuditFixture.with { audit in
            let answers = Locked<[Int: Int]>([:])
            try await audit.logged { log async throws in
                await withTaskGroup(of: Void.self) { group in
                    for thread in 0..<8 {
                        group.addTask {
                            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                                Thread {
                                    let left = Locked(500)
                                    for number in 0..<500 {
                                        log.record(.sample(thread * 1_000 + number)) { receipt in
                                            let error = receipt.error
                                            #expect(error == nil)
                                            answers.withLock { $0[thread * 1_000 + number, default: 0] += 1 }
                                            let isLast = left.withLock { left in
                                                left -= 1
                                                return left == 0
                                            }
                                            if isLast { done.resume() }
                                        }
                                    }
                                }.start()
                            }
                        }
                    }
                }
            }
            let counts = answers.withLock { $0 }
            #expect(counts.count == 4_000)
            #expect(counts.values.allSatisfy { $0 == 1 })
            let lines = try audit.lines()
            #expect(lines.count == 4_001)
            #expect(try audit.findings() == [])
            let recorded = Set(lines.compactMap { $0.firstMatch(of: /"jti":"jti-(\d+)"/).flatMap { Int($0.1) } })
            #expect(recorded == Set(counts.keys))
        }
    }

    @Test("a record may be made while another is answered")
    func reentrance() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                await withCheckedContinuation { continuation in
                    log.record(.sample(1)) { _ in log.record(.sample(2)) { _ in continuation.resume() } }
                }
            }
            #expect(try audit.lines().count == 3)
        }
    }

    // MARK: - Changes

    @Test("a change's record is on the disk before the change is made")
    func attempts() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                let before = audit.faults.switches.withLock { $0.syncs }
                try await log.attempt(.sample(1, outcome: .attempted))
                #expect(audit.faults.switches.withLock { $0.syncs } > before)
                #expect(try audit.lines().count == 2)
                #expect(await log.outcome(.sample(1)) == nil)
            }
        }
    }

    @Test("a change whose record cannot be brought to the disk is refused, and trouble is over once it can")
    func failingDisk() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                audit.faults.set { $0.isSyncFailing = true }
                await #expect(throws: AuditError(.notWritten, "", hint: "")) {
                    try await log.attempt(.sample(1, outcome: .attempted))
                }
                #expect(log.trouble?.code == .notWritten)
                #expect(await log.outcome(.sample(2))?.code == .notWritten)
                audit.faults.set { $0.isSyncFailing = false }
                await audit.untilOver(log)
                try await log.attempt(.sample(3, outcome: .attempted))
            }
            #expect(try audit.findings() == [])
        }
    }

    // MARK: - A full disk

    @Test(
        "on a full disk records are refused, no half line stays, and the log says so when it goes on", arguments: [false, true])
    func fullDisk(_ isTruncateFailing: Bool) async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try await log.written(.sample(1))
                audit.faults.set { faults in
                    faults.room = 100
                    faults.isTruncateFailing = isTruncateFailing
                }
                await #expect(throws: AuditError(.notWritten, "", hint: "")) { try await log.written(.sample(2)) }
                #expect(log.trouble?.message.contains("No space left") == true)
                await #expect(throws: AuditError(.notWritten, "", hint: "")) { try await log.written(.sample(3)) }
                if !isTruncateFailing { #expect(try audit.findings() == []) }
                audit.faults.set { $0 = AuditFaults.Switches() }
                await audit.untilOver(log)
                try await log.written(.sample(4))
            }
            let lines = try audit.lines()
            #expect(lines.count == 4)
            #expect(lines[2].contains("\"type\":\"note\",\"note\":\"2 records were refused; the audit log cannot be written"))
            #expect(try audit.findings() == [])
        }
    }

    @Test("a log that cannot be written at its start does not start")
    func fullAtStart() async throws {
        try await AuditFixture.with { audit in
            audit.faults.set { $0.room = 0 }
            #expect(throws: AuditError(.notWritten, "", hint: "")) { try audit.open() }
        }
    }

    @Test("half a record of a crash is cut off, and the next record says so")
    func crash() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            var lines = try audit.lines()
            lines.append(String(lines[2].prefix(57)))
            try audit.replace(lines, ending: "")
            try await audit.logged { log in try await log.written(.sample(3)) }
            #expect(try audit.lines()[3].contains("\"note\":\"57 bytes of a record that was cut short were removed\""))
            #expect(try audit.lines().count == 5)
            #expect(try audit.findings() == [])
        }
    }

    @Test("what a file system left of a crash is cut off, however long it is", arguments: [1, 65_535, 65_536, 200_000])
    func zeros(_ count: Int) async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            try audit.replace(try audit.lines(), ending: "\n" + String(repeating: "\0", count: count))
            try await audit.logged { _ in }
            #expect(try audit.lines().count == 4)
            #expect(try audit.findings() == [])
        }
    }

    @Test("a first record that a crash cut short is made anew")
    func crashAtStart() async throws {
        try await AuditFixture.with { audit in
            try audit.replace(["{\"seq\":0,"], ending: "")
            // A file that somebody else has made is his to protect.
            try FileMode.set(0o600, of: audit.path)
            try await audit.logged { _ in }
            #expect(try audit.lines().count == 2)
            #expect(try audit.findings() == [])
        }
    }

    @Test("a file that ends in something else is not written to")
    func damaged() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            try audit.replace(try audit.lines() + ["hello"])
            #expect(throws: AuditError(.damaged, "", hint: "")) { try audit.open() }
        }
    }

    @Test("a file that others may write to is refused", arguments: [UInt32(0o620), 0o602, 0o666])
    func exposed(_ mode: UInt32) async throws {
        try await AuditFixture.with { audit in
            try await audit.write(2)
            try FileMode.set(mode, of: audit.path)
            #expect(throws: AuditError(.unusable, "", hint: "")) { try audit.open() }
        }
    }

    @Test("two logs do not write to one file")
    func shared() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { _ in
                #expect(throws: AuditError(.unusable, "", hint: "")) { try audit.open() }
            }
        }
    }

    @Test("a closed log takes no record")
    func closed() async throws {
        try await AuditFixture.with { audit in
            let log = try audit.open()
            await log.close()
            await #expect(throws: AuditError.logClosed) { try await log.written(.sample()) }
            await #expect(throws: AuditError.logClosed) { try await log.attempt(.sample()) }
            await #expect(throws: AuditError.logClosed) { try await log.reopen() }
            await log.close()
            #expect(try audit.lines().count == 1)
        }
    }

    // MARK: - Rotation of the file

    @Test("the chain goes on over a rotation of the file, while records are made")
    func rotation() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for number in 0..<300 { try? await log.written(.sample(number)) }
                    }
                    group.addTask {
                        for number in 0..<20 { try? await log.attempt(.sample(number, outcome: .attempted)) }
                    }
                }
                try audit.rotate()
                try await log.written(.sample(1_000))
                try await log.reopen()
                try await log.written(.sample(1_001))
                try await log.reopen()
                try await log.written(.sample(1_002))
            }
            #expect(try audit.lines().count == 2)
            #expect(try audit.lines(audit.path + ".1").count == 322)
            #expect(try audit.findings(["audit.log.1", "audit.log"]) == [])
        }
    }

    @Test("after a rotation while no agent ran, the chain goes on from the rotated file")
    func rotationBetweenRuns() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            try audit.rotate(to: "audit.log-20261124")
            try await audit.logged { log in try await log.written(.sample(3)) }
            #expect(try audit.lines().count == 1)
            #expect(try audit.findings(["audit.log-20261124", "audit.log"]) == [])
        }
    }

    @Test("so it does from a file that the rotation has compressed at once")
    func compressedBetweenRuns() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            try audit.rotate()
            let compressed = try audit.compress("audit.log.1")
            try await audit.logged { log in try await log.written(.sample(3)) }
            #expect(try audit.lines().count == 1)
            #expect(try audit.findings([compressed, "audit.log"]) == [])
        }
    }

    @Test("a rotation that left records of another log is refused, and the log goes on in the file it had")
    func wrongRotation() async throws {
        try await AuditFixture.with { audit in
            try await audit.write(3)
            let other = try audit.lines()
            try audit.rotate(to: "other")
            try await audit.logged { log async throws in
                try audit.rotate()
                try audit.replace(other)
                await #expect(throws: AuditError(.unusable, "", hint: "")) { try await log.reopen() }
                try await log.written(.sample(1))
            }
            #expect(try audit.lines(audit.path + ".1").count == 2)
        }
    }

    // MARK: - Denials

    @Test("a flood of one denial is two records: the first at once, and the count of the others")
    func flood() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                var denial = AuditRecord.sample(outcome: .denied)
                denial.reason = "not allowed"
                for _ in 0..<1_000 { log.recordRefusal(denial) }
                #expect(try audit.lines().count == 2)
                audit.clock.pass(10)
                log.doWhatIsDue()
                #expect(try audit.lines().count == 3)
                #expect(try audit.lines()[2].hasSuffix("\"reason\":\"not allowed\",\"micros\":412,\"count\":999}"))
                var other = denial
                other.issuer = "test"
                log.recordRefusal(other)
                log.recordRefusal(other)
            }
            // Closing records what has been counted.
            #expect(try audit.lines().count == 5)
            #expect(try audit.findings() == [])
        }
    }

    @Test("denials of ever other kinds do not make the log grow without bound")
    func manyKinds() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                for number in 0..<1_000 {
                    var denial = AuditRecord.sample(outcome: .denied)
                    denial.issuer = "issuer-\(number)"
                    log.recordRefusal(denial)
                }
            }
            let lines = try audit.lines()
            #expect(lines.count == 1 + RefusalFold.mostKinds + 2)
            #expect(lines.last?.contains("\"reason\":\"refusals of many kinds\"") == true)
            #expect(lines.last?.hasSuffix("\"count\":\(1_000 - RefusalFold.mostKinds - 1)}") == true)
        }
    }

    @Test("after a quiet time a denial is recorded at once again")
    func quietTime() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                log.recordRefusal(.sample(outcome: .denied))
                audit.clock.pass(10)
                log.doWhatIsDue()
                log.recordRefusal(.sample(outcome: .denied))
                #expect(try audit.lines().count == 3)
            }
        }
    }

    // MARK: - Heads

    @Test("the head is signed when its time has come, and not again while nothing is new")
    func headInterval() async throws {
        try await AuditFixture.with { audit in
            let signer = SoftwareSigner()
            try await audit.logged { log async throws in
                log.signHeads(with: signer)
                audit.clock.pass(3_600)
                log.doWhatIsDue()
                while try audit.lines().count < 2 { await Task.yield() }
                await log.signHead()
                #expect(try audit.lines().count == 2)
                try await log.written(.sample())
                await log.signHead()
                #expect(try audit.lines().count == 4)
            }
            #expect(try audit.verification(keys: signer.publicKeys).proof?.seq == 2)
        }
    }

    @Test("a head that cannot be signed is trouble of its own: records go on")
    func failingSigner() async throws {
        struct Failing: HeadSigner {
            func sign(_ statement: [UInt8]) async throws -> (signature: [UInt8], kid: String) {
                throw HSMError(.unavailable, "the token is away", hint: "bring it back")
            }
        }
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                log.signHeads(with: Failing())
                await log.signHead()
                #expect(log.headTrouble?.code == .unsigned)
                #expect(log.trouble == nil)
                try await log.written(.sample())
                log.signHeads(with: SoftwareSigner())
                await log.signHead()
                #expect(log.headTrouble == nil)
            }
        }
    }
}

extension AuditFixture {
    /// Lets time pass until the log has found out that it can write again.
    func untilOver(_ log: AuditLog) async {
        while log.trouble != nil {
            clock.pass(1)
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
