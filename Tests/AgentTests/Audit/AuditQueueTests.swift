import Platform
import Testing

@testable import Agent

@Suite("Which thread writes records, and which together")
struct AuditQueueTests {
    private let file = MemoryAuditFile("one")

    private func queue() -> AuditQueue { AuditQueue(file, after: nil, at: 0) }

    private static func record(_ note: String = "n") -> AuditQueue.Item { .record(.note(note), written: { _ in }) }

    /// What the writer does next: how many items it writes, or which other step it takes.
    private static func step(_ queue: inout AuditQueue, isRelieved: Bool = false) -> String {
        switch queue.nextStep(isRelieved: isRelieved) {
        case .write(let batch): "write \(batch.items.count)\(batch.isClosed ? " closed" : "")"
        case .handOver: "hand over"
        case .rest: "rest"
        }
    }

    @Test("the first thread that comes is the writer, and writes what others bring meanwhile together")
    func firstComes() {
        var queue = queue()
        let isWriter = [queue.add(Self.record()), queue.add(Self.record())]
        #expect(isWriter == [true, false])
        #expect(Self.step(&queue) == "write 2")
        let isWriterAgain = [queue.add(Self.record()), queue.add(Self.record()), queue.add(Self.record())]
        #expect(isWriterAgain == [false, false, false])
        #expect(Self.step(&queue) == "write 3")
        #expect(queue.isDue && !queue.isAtRest)
        #expect(Self.step(&queue) == "rest")
        #expect(!queue.isDue && queue.isAtRest && queue.batches == 2)
        let isWriterAnew = queue.add(Self.record())
        #expect(isWriterAnew)
    }

    @Test("while threads gather, none writes; the last of them does")
    func gathering() {
        var queue = queue()
        queue.beginGathering()
        queue.beginGathering()
        let first = [queue.add(Self.record()), queue.endGathering(), queue.add(Self.record())]
        #expect(first == [false, false, false])
        #expect(queue.isDue && !queue.isAtRest)
        let last = queue.endGathering()
        #expect(last)
        #expect(Self.step(&queue) == "write 2")
    }

    @Test("a thread that has gathered nothing has nothing to write")
    func gatheringNothing() {
        var queue = queue()
        queue.beginGathering()
        let isWriter = queue.endGathering()
        #expect(!isWriter && queue.isAtRest)
    }

    @Test("a writer that is relieved hands over with what is pending, and rests when nothing is")
    func relief() {
        var queue = queue()
        _ = queue.add(Self.record())
        #expect(Self.step(&queue, isRelieved: true) == "hand over")
        // Its role is taken: a thread that comes meanwhile is not another writer.
        let isWriter = queue.add(Self.record())
        #expect(!isWriter)
        #expect(Self.step(&queue) == "write 2")
        #expect(Self.step(&queue, isRelieved: true) == "rest")
    }

    @Test("records that are given up are not written, and what is no record stays")
    func givenUp() {
        var queue = queue()
        _ = queue.add(Self.record())
        #expect(Self.step(&queue) == "write 1")
        _ = queue.add(Self.record())
        _ = queue.add(.check)
        _ = queue.add(Self.record())
        #expect(queue.takePendingRecords().count == 2)
        #expect(Self.step(&queue) == "write 1")
    }

    @Test("what was written is dirty until it is on the disk, and so is each file of before a rotation, once")
    func dirty() {
        var queue = queue()
        #expect(queue.takeDirty(at: 0).isEmpty)
        queue.appended(queue.appender, queue.chain)
        let files = queue.takeDirty(at: 0)
        #expect(files.map(\.identity) == ["one"])
        queue.notSynchronized()
        #expect(queue.takeDirty(at: 0).map(\.identity) == ["one"])
        queue.switchTo(AuditAppender(MemoryAuditFile("two")))
        let both = queue.takeDirty(at: 0)
        #expect(both.map(\.identity) == ["one", "two"])
        queue.synchronized(both)
        #expect(queue.takeDirty(at: 0).isEmpty)
    }

    @Test("bringing to the disk is due an interval after it was last begun")
    func synchronization() {
        var queue = queue()
        #expect(!queue.isSynchronizationDue(at: 9, every: 10) && queue.isSynchronizationDue(at: 10, every: 10))
        _ = queue.takeDirty(at: 10)
        #expect(!queue.isSynchronizationDue(at: 19, every: 10) && queue.isSynchronizationDue(at: 20, every: 10))
    }

    @Test("a file without a name is lost until the log goes on in another")
    func lost() {
        var queue = queue()
        queue.loseFile()
        #expect(queue.isFileLost)
        queue.switchTo(AuditAppender(MemoryAuditFile("two")))
        #expect(!queue.isFileLost)
    }

    @Test("after the end a batch is one that must not be written, and the files are let go of")
    func closed() {
        var queue = queue()
        let two = MemoryAuditFile("two")
        queue.switchTo(AuditAppender(two))
        queue.close()
        _ = queue.add(Self.record())
        #expect(Self.step(&queue) == "write 1 closed")
        queue.releaseFiles()
        #expect(file.isUnlocked && two.isUnlocked && queue.appender.file.identity == "")
    }
}

@Suite("Whether records can be written")
struct AuditHealthTests {
    private static let second: Int64 = 1_000_000_000
    private static let full = AuditError(.notWritten, "the disk is full", hint: "make room")

    @Test("trouble is told once, counts what it costs, and is over with all of that")
    func trouble() {
        var state = AuditHealth.State(at: 0)
        let isNew = [state.begin(Self.full, at: 0), state.begin(.stalled, at: 0)]
        #expect(isNew == [true, false])
        #expect(state.trouble?.message == AuditError.stalled.message, "the latest is what is told")
        state.countLost(2)
        state.countLost(1)
        #expect(state.account == "3 records were refused; \(AuditError.stalled.message)")
        state.end()
        #expect(state.trouble == nil && state.lost == 0)
        let isNewAgain = state.begin(Self.full, at: 0)
        #expect(isNewAgain)
    }

    @Test("it is tried again a second after the trouble began, and each second after that, but not without trouble")
    func probes() {
        var state = AuditHealth.State(at: 0)
        var probes = [state.takeProbe(at: 5 * Self.second)]
        _ = state.begin(Self.full, at: 10 * Self.second)
        probes.append(state.takeProbe(at: 11 * Self.second - 1))
        probes.append(state.takeProbe(at: 11 * Self.second))
        probes.append(state.takeProbe(at: 11 * Self.second))
        // The same trouble once more is no reason to wait longer.
        _ = state.begin(Self.full, at: 12 * Self.second - 1)
        probes.append(state.takeProbe(at: 12 * Self.second))
        #expect(probes == [false, false, true, false, true])
    }

    @Test("a disk is gone when for ten looks the log's thread has not come round")
    func thread() {
        var stall = AuditStall()
        let looks = (0..<12).map { _ in stall.isGone(AuditStall.Progress(round: 7, batches: 3), isDue: false) }
        // The first look sees the thread for the first time.
        #expect(looks == Array(repeating: false, count: 10) + [true, true])
        let comesRound = stall.isGone(AuditStall.Progress(round: 8, batches: 3), isDue: false)
        #expect(!comesRound)
    }

    @Test("and when nothing is written although it is due; a log that is idle is not held up")
    func writing() {
        var (held, idle) = (AuditStall(), AuditStall())
        var isGone: [Bool] = []
        for round in 1...11 as ClosedRange<UInt64> {
            isGone.append(held.isGone(AuditStall.Progress(round: round, batches: 3), isDue: true))
            let isIdleGone = idle.isGone(AuditStall.Progress(round: round, batches: 3), isDue: false)
            #expect(!isIdleGone)
        }
        #expect(isGone == Array(repeating: false, count: 10) + [true])
    }
}
