import AgentClient
import AgentProtocol
import Foundation
import Platform
import Testing

@testable import Agent

@Suite("The file of an audit log while it is in use")
struct AuditPlaceTests {
    @Test("a log that is removed is noticed at the next look, and goes on at its path with its chain, over a restart too")
    func removed() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                for number in 1...4 { try await log.written(.sample(number)) }
                try FileManager.default.removeItem(atPath: audit.path)
                await audit.untilAtPath(log)
                try await log.written(.sample(5))
                let lines = try audit.lines()
                #expect(lines.count == 2)
                #expect(lines[0].contains(#""seq":5,"#))
                #expect(
                    lines[0].contains("the file of the audit log was removed while it was in use, with the records up to 4"))
                #expect(log.incidents.unseen.count == 1 && log.trouble == nil)
            }
            try await audit.logged { log in try await log.written(.sample(6)) }
            #expect(try audit.lines().last?.contains(#""seq":7,"#) == true)
            #expect(try audit.findings() == [])
        }
    }

    @Test("a log that is moved away without SIGHUP goes on at its path after a moment, and both files are one chain")
    func moved() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try await log.written(.sample(1))
                try audit.rotate()
                log.doWhatIsDue()
                // Whoever rotates says so in a moment: until then nothing is wrong.
                try await log.written(.sample(2))
                #expect(log.incidents.unseen.isEmpty && !FileManager.default.fileExists(atPath: audit.path))
                audit.clock.pass(1)
                await audit.untilAtPath(log)
                try await log.written(.sample(3))
                #expect(log.incidents.unseen.first?.contains("was moved away while it was in use") == true)
            }
            #expect(try audit.lines(audit.path + ".1").count == 3)
            #expect(try audit.findings(["audit.log.1", "audit.log"]) == [])
        }
    }

    @Test("SIGHUP soon after a move says that it was a rotation, and later ones do not")
    func lateAnnouncement() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                for (rotation, seconds) in [("audit.log.1", 30), ("audit.log.2", 61)] {
                    try audit.rotate(to: rotation)
                    log.doWhatIsDue()
                    audit.clock.pass(1)
                    await audit.untilAtPath(log)
                    audit.clock.pass(seconds)
                    try await log.reopen()
                    #expect(log.incidents.unseen.count == (seconds < 60 ? 0 : 1))
                }
                try await log.reopen()
                #expect(log.incidents.unseen.count == 1)
            }
            #expect(try audit.findings(["audit.log.1", "audit.log.2", "audit.log"]) == [])
        }
    }

    @Test("a rotation that says so is nothing to look into, whether it leaves an empty file or none", arguments: [false, true])
    func rotated(leavesFile: Bool) async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try await log.written(.sample(1))
                try audit.rotate()
                if leavesFile {
                    try audit.replace([], ending: "")
                    try FileMode.set(0o600, of: audit.path)
                }
                log.doWhatIsDue()
                try await log.reopen()
                log.doWhatIsDue()
                audit.clock.pass(10)
                log.doWhatIsDue()
                try await log.written(.sample(2))
                #expect(log.incidents.unseen.isEmpty)
            }
            #expect(try audit.findings(["audit.log.1", "audit.log"]) == [])
            #expect(try audit.lines().count == 1)
        }
    }

    @Test("a log that is cut is noticed, and the next record begins on a line of its own", arguments: [0, 1, 0.5, 0.999])
    func cut(_ share: Double) async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                for number in 1...4 { try await log.written(.sample(number)) }
                let size = try audit.size()
                let whole = try audit.lines()[...1].map { $0.utf8.count + 1 }.reduce(0, +)
                let length = share == 1 ? whole : Int(Double(size) * share)
                try audit.truncate(to: length)
                try await log.written(.sample(5))
                #expect(
                    log.incidents.unseen
                        == ["the file of the audit log was cut from \(size) to \(length) bytes while it was in use"])
                try await log.written(.sample(6))
                let lines = try audit.lines()
                #expect(lines.suffix(3)[lines.count - 3].contains("was cut from \(size)"))
                #expect(lines.suffix(2).allSatisfy { $0.contains("\"jti\"") })
            }
            // What is missing, and half a record where one was cut in two; whatever came after is as it was written.
            let findings = try audit.findings()
            #expect(share == 0 ? findings.isEmpty : !findings.isEmpty)
            #expect(findings.allSatisfy { $0.contains("missing before this line") || $0.contains("is no record") }, "\(findings)")
            try await audit.logged { log in try await log.written(.sample(7)) }
            #expect(try audit.findings() == findings)
        }
    }

    @Test("a log that is cut, or written to by somebody else, is noticed while nothing is recorded", arguments: [true, false])
    func idle(isCut: Bool) async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try await log.written(.sample(1))
                if isCut { try audit.truncate(to: 0) } else { try audit.append("somebody was here\nand went") }
                await audit.until(log) { try audit.lines().last?.contains("\"type\":\"note\"") == true }
                let lines = try audit.lines()
                #expect(log.incidents.unseen.count == 1)
                #expect(lines.last?.contains(#""seq":2,"#) == true && lines.last?.contains("\"type\":\"note\"") == true)
                log.doWhatIsDue()
                #expect(try audit.lines() == lines)
            }
            #expect(
                try audit.findings()
                    == (isCut
                        ? [] : [3, 4].map { "audit.log:\($0): this is no record of an audit log; it was changed or put there" }))
        }
    }

    @Test("what copytruncate leaves is one chain where no record came between, and is named all the same")
    func copyTruncate() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                for number in 1...4 { try await log.written(.sample(number)) }
                try FileManager.default.copyItem(atPath: audit.path, toPath: audit.path + ".1")
                try audit.truncate(to: 0)
                log.doWhatIsDue()
                try await log.reopen()
                try await log.written(.sample(5))
                #expect(log.incidents.unseen.count == 1)
            }
            #expect(try audit.findings(["audit.log.1", "audit.log"]) == [])
        }
    }

    @Test(
        "another file in the place of the log is moved aside as it is, and the log goes on at its path", arguments: [true, false])
    func replaced(isRemoved: Bool) async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                for number in 1...4 { try await log.written(.sample(number)) }
                // As an editor saves a file: with what it thinks right, under the same name.
                let edited = try audit.lines().dropLast() + ["edited"]
                let saved = audit.directory + "/saved"
                try audit.replace(Array(edited), saved)
                if !isRemoved { try audit.rotate() }
                let isSaved = unsafe rename(saved, audit.path) == 0
                #expect(isSaved)
                log.doWhatIsDue()
                audit.clock.pass(1)
                await audit.untilAtPath(log)
                try await log.written(.sample(5))
                let aside = audit.path + "~displaced-5"
                #expect(try audit.lines(aside) == Array(edited))
                #expect(log.incidents.unseen.first?.contains("another that was put in its place is \(aside) now") == true)
            }
            #expect(try audit.lines().count == 2)
            if !isRemoved { #expect(try audit.findings(["audit.log.1", "audit.log"]) == []) }
            // Not what the next start takes for a rotated file.
            try FileManager.default.removeItem(atPath: audit.path)
            #expect(AuditTail.ofRotated(audit.path)?.seq == (isRemoved ? nil : 4))
        }
    }

    @Test("a directory put in the place of the log's is noticed, and the log goes on there")
    func directory() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try await log.written(.sample(1))
                try FileManager.default.moveItem(atPath: audit.directory, toPath: audit.directory + "-old")
                try FileManager.default.createDirectory(atPath: audit.directory, withIntermediateDirectories: false)
                log.doWhatIsDue()
                audit.clock.pass(1)
                await audit.untilAtPath(log)
                try await log.written(.sample(2))
                #expect(try audit.lines().count == 2)
            }
            try FileManager.default.removeItem(atPath: audit.directory + "-old")
        }
    }

    @Test("where it cannot go on at its path, nothing is recorded in a file that nobody will find, until it can")
    func nowhere() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try await log.written(.sample(1))
                try FileManager.default.removeItem(atPath: audit.directory)
                await audit.until(log) { log.trouble != nil }
                #expect(log.trouble?.message.contains("was removed, and it cannot go on at its path") == true)
                await #expect(throws: AuditError(.notWritten, "", hint: "")) { try await log.written(.sample(2)) }
                await #expect(throws: AuditError(.notWritten, "", hint: "")) { try await log.attempt(.sample(2)) }
                // Time alone ends nothing.
                audit.clock.pass(10)
                log.doWhatIsDue()
                #expect(log.trouble != nil)
                try FileManager.default.createDirectory(atPath: audit.directory, withIntermediateDirectories: false)
                await audit.untilOver(log)
                try await log.written(.sample(3))
                let lines = try audit.lines()
                #expect(lines[0].contains("was removed") && lines[1].contains("2 records were refused"))
                #expect(lines.last?.contains("\"jti\"") == true)
            }
            #expect(try audit.findings() == [])
        }
    }

    @Test("a file that another process writes to is left to it, and the log's own is gone on with while it has a name")
    func otherProcess() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try audit.rotate()
                let other = try AppendedFile(path: audit.path)
                log.doWhatIsDue()
                audit.clock.pass(1)
                await audit.until(log) { !log.incidents.unseen.isEmpty }
                log.doWhatIsDue()
                try await log.written(.sample(1))
                #expect(log.incidents.unseen.count == 1)
                #expect(log.incidents.unseen[0].contains("another process writes to"))
                await audit.until(log) { try audit.lines(audit.path + ".1").count == 3 }
                other.unlock()
            }
        }
    }

    @Test("what has happened is kept over a restart until an operator has taken note of it, and that is recorded")
    func unseen() async throws {
        try await AuditFixture.with { audit in
            try await audit.logged { log async throws in
                try audit.truncate(to: 0)
                await audit.until(log) { !log.incidents.unseen.isEmpty }
            }
            let incident = try await audit.kept()
            #expect(incident.count == 1)
            try await audit.logged { log async throws in
                #expect(log.incidents.unseen == incident)
                log.acknowledgeIncidents()
                #expect(log.incidents.unseen.isEmpty)
            }
            #expect(try audit.lines().last?.contains("an operator has taken note of what was done to the file") == true)
            #expect(try await audit.kept().isEmpty)
            #expect(try FileManager.default.contentsOfDirectory(atPath: audit.directory) == ["audit.log"])
        }
    }

    @Test("health names it, signing goes on, and reload with acceptAudit takes note of it")
    func health() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            #expect(try await client.health().status == "ok")
            try FileManager.default.removeItem(atPath: agent.auditPath)
            #expect(await eventually { try await client.health().problems.contains { $0.component == "audit" } })
            #expect(try await client.health().status == "degraded")
            _ = try await client.sign()
            #expect(try agent.audited("sign").count == 1)
            _ = try await client.call(ReloadParameters())
            #expect(try await client.health().status == "degraded")
            _ = try await client.call(ReloadParameters(acceptAudit: true))
            #expect(try await client.health().problems.isEmpty)
        }
    }
}

extension AuditFixture {
    /// Looks until the log writes to the file at its path.
    func untilAtPath(_ log: AuditLog) async {
        await until(log) { AppendedFile.identity(of: path) == log.writer.fileInUse.identity }
    }

    /// Lets the log look until something is so; its own thread looks too.
    func until(_ log: AuditLog, _ isSo: () throws -> Bool) async {
        while (try? isSo()) != true {
            log.doWhatIsDue()
            await Task.yield()
        }
    }

    func size() throws -> Int {
        try Data(contentsOf: URL(fileURLWithPath: path)).count
    }

    /// Cuts the file as another process can.
    func truncate(to length: Int) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: UInt64(length))
        try handle.close()
    }

    /// Writes to the end of the file as another process can.
    func append(_ text: String) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    /// What the next start knows of what has happened to the file.
    fileprivate func kept() async throws -> [String] {
        var unseen: [String] = []
        try await logged { unseen = $0.incidents.unseen }
        return unseen
    }
}
