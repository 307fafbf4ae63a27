import IssuerStore
import Testing

@testable import Agent

@Suite("A store that is slow")
struct StorePaceTests {
    @Test(
        "is named once it was late three times in a row, until it was not",
        arguments: [
            ([], false), ([1_450], false), ([1_450, 1_450], false), ([1_450, 1_450, 1_450], true),
            ([1_450, 1_450, 900, 1_450], false), ([2_000, 1_000, 30_000, 1_450], true), ([1_450, 1_450, 1_450, 900], false),
            ([900, 900, 900], false),
        ] as [([Int64], Bool)])
    func named(_ milliseconds: [Int64], _ isNamed: Bool) {
        var pace = StorePace()
        for time in milliseconds { pace.take(time * 1_000_000) }
        #expect((pace.trouble != nil) == isNamed)
        if isNamed { #expect(pace.trouble?.message.contains("it took 1.4 s") == true) }
    }
}
