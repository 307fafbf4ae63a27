import Foundation
import Platform
import TestSupport
import Testing

@Suite struct FileTests {
    @Test("a file is replaced as a whole, has the mode asked for and leaves nothing beside it", arguments: [0o600, 0o644, 0o660])
    func atomic(mode: Int) throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/state"
            try writeFile(path, "old and longer", mode: 0o600)
            try AtomicFile.write(Array("new".utf8), to: path, mode: UInt32(mode))
            #expect(try RegularFile.read(path: path, limit: 100) == Array("new".utf8))
            #expect(try FileMode.of(path) == UInt32(mode))
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["state"])
        }
    }

    @Test("a write that cannot be finished leaves the old file and no other")
    func atomicFailure() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/state"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            try writeFile("\(path)/inside", "x")
            #expect(throws: PlatformError.self) { try AtomicFile.write([1], to: path) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["state"])
            #expect(throws: PlatformError(.missing, "", hint: "")) { try AtomicFile.write([1], to: "\(directory)/absent/state") }
        }
    }

    @Test("a file is read up to the limit", arguments: [0, 1, 4095, 4096])
    func read(count: Int) throws {
        try withTemporaryDirectory { directory in
            let bytes = [UInt8](repeating: 7, count: count)
            try writeFile("\(directory)/file", bytes, mode: 0o600)
            #expect(try RegularFile.read(path: "\(directory)/file", limit: 4096) == bytes)
            if count > 0 {
                #expect(throws: PlatformError(.tooLong, "", hint: "")) {
                    try RegularFile.read(path: "\(directory)/file", limit: count - 1)
                }
            }
        }
    }

    @Test("a file whose size the kernel does not tell is read to its end")
    func unsized() throws {
        #expect(try RegularFile.read(path: "/proc/self/status", limit: 1 << 16).count > 100)
        #expect(throws: PlatformError(.tooLong, "", hint: "")) { try RegularFile.read(path: "/proc/self/status", limit: 100) }
    }

    @Test(
        "a file of the kernel that gives all to the first read, and nothing to the next, is read whole",
        arguments: ["overflowuid", "overflowgid", "ostype", "pid_max"])
    func kernelFile(name: String) throws {
        let path = "/proc/sys/kernel/\(name)"
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try RegularFile.read(path: path, limit: 64) == Array(whole))
        // One that is too long is not cut short.
        #expect(throws: PlatformError(.tooLong, "", hint: "")) { try RegularFile.read(path: path, limit: 1) }
        let number = String(decoding: whole, as: UTF8.self).trimmingCharacters(in: .newlines)
        switch name {
        case "overflowuid": #expect("\(OverflowUser.uid())" == number)
        case "overflowgid": #expect("\(OverflowGroup.gid())" == number)
        default: break
        }
    }

    @Test("a second lock on a file is refused and names the holder's pid; it is free once the first is gone")
    func lock() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/lock"
            do {
                let first = try FileLock(path: path)
                let error = #expect(throws: PlatformError.self) { _ = try FileLock(path: path) }
                #expect(error?.code == .locked)
                #expect(error?.message.contains("process \(ProcessInfo.processInfo.processIdentifier)") == true)
                #expect(first.path == path)
            }
            _ = try FileLock(path: path)
        }
    }

    /// As a child has one that another test forks just then: a child shares what was open, until it executes its program.
    @Test("a lock is free once it is let go of, though a copy of its descriptor is still open")
    func lockWithCopy() throws {
        try withTemporaryDirectory { directory in
            let lock = "\(directory)/lock"
            var copy = try withExtendedLifetime(try FileLock(path: lock)) { try #require(copyDescriptor(of: lock)) }
            defer { closeDescriptor(copy) }
            _ = try FileLock(path: lock)

            let log = "\(directory)/log"
            closeDescriptor(copy)
            copy = try withExtendedLifetime(try AppendedFile(path: log)) { try #require(copyDescriptor(of: log)) }
            _ = try AppendedFile(path: log)
        }
    }

    @Test("a lock that others could open, and so hold, is closed to them")
    func openLock() throws {
        try withTemporaryDirectory { directory in
            try writeFile("\(directory)/lock", "", mode: 0o644)
            let lock = try FileLock(path: "\(directory)/lock")
            #expect(try FileMode.of(lock.path) == 0o600)
        }
    }

    @Test("a lock ends with the process that held it, however it ends")
    func lockOfADeadProcess() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("privyseal-\(UUID().uuidString).lock").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        await #expect(processExitsWith: .signal(9)) { [path = path as String] in
            let lock = try FileLock(path: path)
            killSelf()
            withExtendedLifetime(lock) {}
        }
        #expect(FileManager.default.fileExists(atPath: path))
        _ = try FileLock(path: path)
    }

    @Test("modes are written with four octal digits", arguments: [(0o660, "0660"), (0, "0000"), (0o4755, "4755"), (0o7, "0007")])
    func modeText(mode: UInt32, text: String) {
        #expect(FileMode.text(mode) == text)
        #expect(FileMode.parse(text) == mode)
    }

    @Test(
        "what is not three or four octal digits is no mode",
        arguments: ["", "66", "00660", "0689", "rw-", "+660", "0x66", " 660"])
    func noMode(text: String) {
        #expect(FileMode.parse(text) == nil)
    }

    @Test("mode and owner of a path are set")
    func modeAndOwner() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/file"
            try writeFile(path, "x", mode: 0o600)
            try FileMode.set(0o640, of: path)
            #expect(try FileMode.of(path) == 0o640)
            try FileMode.setOwner(of: path, gid: currentGroup())
            #expect(throws: PlatformError(.missing, "", hint: "")) { try FileMode.set(0o600, of: "\(directory)/absent") }
        }
    }
}
