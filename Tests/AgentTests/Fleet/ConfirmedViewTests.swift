import IssuerStore
import Testing

@testable import Agent

@Suite("What the store has confirmed")
struct ConfirmedViewTests {
    private func view(_ head: StoreHead, sentAt: Int64) -> StoreView {
        StoreView(
            contents: StoreContents(issuers: [], intents: [], destructions: [], lastChange: nil), head: head,
            revision: head.revision, sentAt: sentAt)
    }

    @Test("a view counts from when its read was sent, and an unchanged head confirms it anew")
    func confirmation() {
        let (first, second) = (StoreHead(id: "x", revision: 1), StoreHead(id: "y", revision: 2))
        var confirmed = ConfirmedView()
        #expect(confirmed.confirmedAt == nil && confirmed.age(at: 5) == nil)
        let tooEarly = confirmed.isConfirmed(by: HeadReading(head: first, sentAt: 1))
        #expect(!tooEarly && confirmed.confirmedAt == nil)
        confirmed.adopt(view(first, sentAt: 10))
        #expect(confirmed.confirmedAt == 10)
        let isSame = confirmed.isConfirmed(by: HeadReading(head: first, sentAt: 20))
        #expect(isSame && confirmed.confirmedAt == 20)
        let isOther = confirmed.isConfirmed(by: HeadReading(head: second, sentAt: 30))
        #expect(!isOther && confirmed.confirmedAt == 20)
        // An answer that overtakes an earlier one takes nothing back.
        let isLate = confirmed.isConfirmed(by: HeadReading(head: first, sentAt: 15))
        #expect(isLate && confirmed.confirmedAt == 20)
        #expect(confirmed.age(at: 3_000_000_020) == 3)
    }

    @Test("the fence is never moved back, and shut for good once it is")
    func fence() {
        let fence = SigningFence(isShared: true)
        #expect(!fence.isOpen(at: 0))
        fence.move(to: 100)
        #expect(fence.isOpen(at: 99) && !fence.isOpen(at: 100))
        fence.move(to: 50)
        #expect(fence.isOpen(at: 99))
        fence.shut()
        fence.move(to: 1_000)
        #expect(!fence.isOpen(at: 0))
        let own = SigningFence(isShared: false)
        own.shut()
        own.move(to: 1)
        #expect(own.until == .max)
    }
}
