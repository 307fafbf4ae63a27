import Testing

@Suite struct SigningStepsTests {
    @Test("each step that scripts/bench-steps counts does what it is to do", arguments: SigningStep.all.map(\.name))
    func step(name: String) async throws {
        let step = try #require(SigningStep.all.first { $0.name == name })
        let prepared = try await step.prepared()
        let sum = Result { try prepared.repeated(2) }
        await prepared.end()
        #expect(try sum.get() > 0)
    }

    @Test("no two steps have the same name")
    func names() {
        #expect(Set(SigningStep.all.map(\.name)).count == SigningStep.all.count)
    }
}
