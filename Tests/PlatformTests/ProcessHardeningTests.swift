import Platform
import Testing

@Suite struct ProcessHardeningTests {
    @Test("a hardened process dumps no core, cannot be inspected, gains no privileges and makes private files")
    func hardened() async {
        await #expect(processExitsWith: .success) {
            try #require(ProcessHardening.isDumpable)
            try ProcessHardening.apply()
            #expect(!ProcessHardening.isDumpable)
            #expect(!ProcessHardening.canGainPrivileges)
            #expect(coreFileLimit() == (0, 0))
            #expect(currentUmask() == 0o077)
        }
    }

    @Test("no file that is opened later becomes standard input, output or error", arguments: [[0], [2], [0, 1, 2]])
    func standardDescriptors(closed: [Int32]) async {
        await #expect(processExitsWith: .success) { [closed] in
            for descriptor in closed { closeDescriptor(descriptor) }
            try ProcessHardening.apply()
            for descriptor in closed where !isNullDevice(descriptor) { killSelf() }
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
