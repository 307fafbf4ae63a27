import Foundation
import Platform
import Testing

@Suite("The priority of a thread")
struct ThreadPriorityTests {
    private static let canRestore = (try? ThreadPriority.requireRestorable()) != nil

    @Test("is lowered and raised for that thread alone, also by another one", .enabled(if: canRestore))
    func apart() throws {
        let thread = Locked<ThreadPriority?>(nil)
        let isStarted = Signal()
        let isOver = Signal()
        let hasEnded = Signal()
        Thread.detachNewThread {
            thread.withLock { $0 = .ofCurrentThread }
            isStarted.send()
            isOver.wait()
            hasEnded.send()
        }
        isStarted.wait()
        let other = try #require(thread.withLock { $0 })
        #expect(try !other.isIdle())
        try other.setIdle(true)
        #expect(try other.isIdle())
        #expect(try !ThreadPriority.ofCurrentThread.isIdle())
        try other.setIdle(false)
        #expect(try !other.isIdle())
        isOver.send()
        hasEnded.wait()
    }

    @Test("that could not be raised again is found out without lowering the caller's", .enabled(if: currentUser() == 0))
    func denied() async {
        await #expect(processExitsWith: .success) {
            try #require(becomeNobody())
            #expect(throws: PlatformError(.denied, "", hint: "")) {
                try ThreadPriority.requireRestorable()
            }
            #expect(try !ThreadPriority.ofCurrentThread.isIdle())
        }
    }
}
