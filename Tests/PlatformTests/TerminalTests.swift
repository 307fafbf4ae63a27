import Testing

@testable import Platform

@Suite struct TerminalTests {
    /// A terminal where this is typed; none for nil. What is written comes to `shown`.
    private func terminal(_ typed: String?, _ shown: Locked<String> = Locked("")) -> Terminal {
        Terminal(
            isInteractive: typed != nil, write: { text in shown.withLock { $0 += text } }, readLine: { typed })
    }

    @Test(
        "only a yes is a yes",
        arguments: [("y", true), ("Yes", true), (" y ", true), ("", false), ("n", false), ("yep", false), ("y es", false)])
    func answers(text: String, isYes: Bool) {
        #expect(Terminal.isYes(text) == isYes)
        let shown = Locked("")
        let confirmed = Result { try terminal(text, shown).confirm("This ends it.", given: false) }
        #expect(((try? confirmed.get()) != nil) == isYes)
        #expect(shown.withLock { $0 } == "This ends it.\nContinue? [y/N] ")
    }

    @Test("consent that is given already is not asked for, and without a terminal there is no other")
    func unattended() throws {
        let shown = Locked("")
        try terminal(nil, shown).confirm("This ends it.", given: true)
        #expect(shown.withLock { $0 }.isEmpty)
        let error = #expect(throws: NotConfirmed.self) { try terminal(nil, shown).confirm("This ends it.", given: false) }
        #expect(error?.hint == "add --yes when you are sure")
        #expect(shown.withLock { $0 }.isEmpty)
    }
}
