import Platform
import Testing

@Suite struct ProcessHardeningTests {
    @Test("a hardened process dumps no core, cannot be inspected and makes private files")
    func hardened() async {
        await #expect(processExitsWith: .success) {
            try #require(ProcessHardening.isDumpable)
            try ProcessHardening.apply()
            #expect(!ProcessHardening.isDumpable)
            #expect(coreFileLimit() == (0, 0))
            #expect(currentUmask() == 0o077)
        }
    }

    @Test("writing into a pipe nobody reads does not end the process")
    func brokenPipe() async {
        await #expect(processExitsWith: .success) {
            BrokenPipes.ignore()
            closeReaderOfStandardError()
            StandardError.write(Array("lost\n".utf8))
        }
    }
}
