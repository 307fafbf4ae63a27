import Platform
import Testing

@testable import Agent

@Suite("Names of users")
struct UserNamesTests {
    /// A user database that answers when it is let, and the patience of who asks first, which ends when it is let.
    private final class Database: Sendable {
        let answers = Signal()
        let asked = Locked(0)
        private let asking = Locked(0)
        private let patience = AsyncStream<Void>.makeStream()

        func names() -> UserNames {
            UserNames(
                lookUp: { uid in
                    self.answers.wait()
                    return self.asked.withLock { asked in
                        asked += 1
                        return "user \(uid), asked \(asked)"
                    }
                },
                patience: {
                    let number = self.asking.withLock { asking in
                        asking += 1
                        return asking
                    }
                    guard number == 1 else { throw CancellationError() }
                    for await _ in self.patience.stream { break }
                })
        }

        func endPatience() {
            patience.continuation.yield()
        }
    }

    private func name(_ names: UserNames) async -> String? {
        await withCheckedContinuation { continuation in
            names.name(of: 1_000) { continuation.resume(returning: $0) }
        }
    }

    /// The name once it is one that counts, since what gives up does so by itself.
    private func settled(_ names: UserNames, _ isSo: (String?) -> Bool) async -> String? {
        var last = await name(names)
        for _ in 0..<200 where !isSo(last) {
            try? await Task.sleep(for: .milliseconds(5))
            last = await name(names)
        }
        return last
    }

    @Test("a name that was found before patience ended is found again after a reload in between")
    func forgottenInBetween() async {
        let database = Database()
        let names = database.names()
        database.answers.send()
        #expect(await name(names) == "user 1000, asked 1")
        names.forget()
        database.endPatience()
        // That says nothing of a name that was found and forgotten, now or when it comes to it.
        for number in 2...20 {
            try? await Task.sleep(for: .milliseconds(5))
            database.answers.send()
            #expect(await name(names) == "user 1000, asked \(number)")
            names.forget()
        }
    }

    @Test("who waits too long goes on without a name, and the name is there once it is found")
    func late() async {
        let database = Database()
        let names = database.names()
        async let early = name(names)
        database.endPatience()
        #expect(await early == nil)
        #expect(await name(names) == nil)
        // A reload does not ask a second time while the first look-up goes on.
        names.forget()
        #expect(await name(names) == nil)
        database.answers.send()
        #expect(await settled(names) { $0 != nil } == "user 1000, asked 1")
        #expect(database.asked.withLock { $0 } == 1)
    }
}
