import Foundation
import Platform
import Testing

@Suite("Named threads")
struct NamedThreadTests {
    @Test(
        "are shown by their name, as far as Linux shows it",
        arguments: [("sign-1", "sign-1"), ("a name that is long", "a name that is "), ("", "")])
    func names(name: String, shown: String) {
        let seen = Locked("")
        let hasEnded = Signal()
        NamedThread.start(name) {
            let read = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            seen.withLock { $0 = read ?? "unreadable" }
            hasEnded.send()
        }
        hasEnded.wait()
        #expect(seen.withLock { $0 } == shown + "\n")
    }
}
