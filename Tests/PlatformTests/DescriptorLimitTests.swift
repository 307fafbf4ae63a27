import Platform
import Testing

@Suite struct DescriptorLimitTests {
    @Test("the soft limit becomes the hard one, which stays, and is what can be opened then")
    func raised() async {
        await #expect(processExitsWith: .success) {
            try #require(lowerDescriptorLimits(soft: 64, hard: 300))
            #expect(DescriptorLimit.current == DescriptorLimit(soft: 64, hard: 300))
            #expect(DescriptorLimit.raise() == DescriptorLimit(soft: 300, hard: 300))
            #expect(DescriptorLimit.current == DescriptorLimit(soft: 300, hard: 300))
            #expect((200..<300).contains(openAsManyAsPossible()))
        }
    }

    @Test("a soft limit that is the hard one already stays")
    func enough() async {
        await #expect(processExitsWith: .success) {
            try #require(lowerDescriptorLimits(soft: 200, hard: 200))
            #expect(DescriptorLimit.raise() == DescriptorLimit(soft: 200, hard: 200))
        }
    }
}
