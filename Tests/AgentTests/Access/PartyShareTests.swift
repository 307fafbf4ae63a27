import Platform
import Testing

@testable import Agent

@Suite struct PartyShareTests {
    private let clock = SteppedClock()
    private let memory = SharedMemory()

    /// A share, and the numbers of the connections it has called. Those of `gone` have ended.
    private func share(_ uid: UInt32 = 1, gone: Set<UInt64> = []) -> (PartyShare, called: Locked<[UInt64]>) {
        let called = Locked<[UInt64]>([])
        let account = Conduct(clock: clock.agentClock).account(of: .user(uid))
        let share = PartyShare(.user(uid), account, memory: memory) { id in
            called.withLock { $0.append(id.number) }
            return !gone.contains(id.number)
        }
        return (share, called)
    }

    private func id(_ number: UInt64) -> ConnectionID { ConnectionID(number: number) }

    @Test func `Eight operations are carried out at a time, and who waits is called in the order it came`() {
        let (share, called) = share()
        for number in 1...8 { #expect(share.beginOperation(id(UInt64(number)))) }
        for number in 9...11 { #expect(!share.beginOperation(id(UInt64(number)))) }
        share.endOperation()
        #expect(called.withLock { $0 } == [9])
        #expect(share.beginOperation(id(9)))
        share.endOperation()
        share.endOperation()
        #expect(called.withLock { $0 } == [9, 10, 11])
    }

    @Test func `Room that one cannot use because it has ended goes to the next`() {
        let (share, called) = share(gone: [9])
        for number in 1...8 { _ = share.beginOperation(id(UInt64(number))) }
        for number in 9...12 { _ = share.beginOperation(id(UInt64(number))) }
        share.endOperation()
        #expect(called.withLock { $0 } == [9, 10])
        // One that was called, and ended before it came.
        share.forget(id(10))
        share.callForOperations()
        #expect(called.withLock { $0 } == [9, 10, 11])
    }

    @Test func `Who holds too much waits until it holds half of that`() {
        let (share, called) = share()
        let part = memory.part
        share.hold(part - 1)
        #expect(share.admits(id(1)))
        share.hold(1)
        #expect(!share.admits(id(1)) && !share.admits(id(2)))
        share.hold(-part / 4)
        #expect(called.withLock { $0 }.isEmpty)
        share.hold(-part / 2)
        #expect(Set(called.withLock { $0 }) == [1, 2])
        #expect(share.admits(id(1)))
        share.hold(-share.held)
        #expect(share.isUnused)
    }

    @Test func `What would free nothing by waiting has room always, but for a pause`() {
        let (share, _) = share()
        share.hold(memory.part)
        #expect(!share.admits(id(1)))
        #expect(share.admits(id(1), isHeldAnyway: true))
    }

    @Test func `Who was called and found that another had come first is the next`() {
        let (share, called) = share()
        for number in 1...8 { _ = share.beginOperation(id(UInt64(number))) }
        for number in 9...10 { _ = share.beginOperation(id(UInt64(number))) }
        share.endOperation()
        #expect(share.beginOperation(id(20)))
        #expect(!share.beginOperation(id(9)))
        share.endOperation()
        #expect(called.withLock { $0 } == [9, 9])
    }

    @Test func `The more parties there are, the less each may hold, and never less than a request needs`() {
        let alone = memory.part
        let few = (1...8).map { share(UInt32($0)) }
        #expect(memory.part <= alone)
        let many = (9...500).map { share(UInt32($0)) }
        #expect(memory.part == 256 << 10 && few.count + many.count == 500)
        #expect(!memory.isExhausted)
        for (share, _) in many { share.hold(256 << 10) }
        #expect(memory.isExhausted)
    }

    @Test func `A paused party is called when the pause is over`() async {
        let conduct = Conduct(clock: clock.agentClock)
        let called = Locked<[UInt64]>([])
        let share = PartyShare(.user(1), conduct.account(of: .user(1)), memory: memory) { id in
            called.withLock { $0.append(id.number) }
            return true
        }
        for _ in 1...257 { conduct.note(.user(1)) }
        #expect(!share.admits(id(1)))
        clock.pass(seconds: 1)
        #expect(await eventually { called.withLock { $0 } == [1] })
        #expect(share.admits(id(1)))
    }

    @Test func `Refused connections are logged once in ten seconds, with how many there were`() {
        let (share, _) = share()
        let second: Int64 = 1_000_000_000
        #expect(share.countRefusal(at: 0) == 0)
        for _ in 1...100 { #expect(share.countRefusal(at: 9 * second) == nil) }
        #expect(share.countRefusal(at: 10 * second) == 100)
    }
}
