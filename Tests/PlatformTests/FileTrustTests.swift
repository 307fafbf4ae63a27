import Foundation
import Platform
import TestSupport
import Testing

@Suite("Files that others could change or replace")
struct FileTrustTests {
    @Test(
        "a file that its group or others can write is refused with mode and chmod",
        arguments: [(0o644, true), (0o600, true), (0o755, true), (0o664, false), (0o646, false), (0o777, false)])
    func file(mode: Int, isGood: Bool) throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/module.so"
            try writeFile(path, "x", mode: mode)
            guard !isGood else {
                try FileTrust.checkFile(path, "the module")
                _ = try RegularFile.readTrusted(path: path, limit: 10)
                return
            }
            for error in [
                #expect(throws: PlatformError.self) { try FileTrust.checkFile(path, "the module") },
                #expect(throws: PlatformError.self) { _ = try RegularFile.readTrusted(path: path, limit: 10) },
            ] {
                #expect(error?.code == .exposed)
                #expect(error?.message.contains("mode 0\(String(mode, radix: 8))") == true)
                #expect(error?.hint.contains("chmod go-w \(path)") == true)
            }
        }
    }

    @Test(
        "so is one below a directory that everybody can write, unless the sticky bit keeps what is in it",
        arguments: [(0o755, true), (0o775, true), (0o1777, true), (0o777, false), (0o757, false)], ["", "/deeper"])
    func place(_ place: (mode: Int, isGood: Bool), below: String) throws {
        try withTemporaryDirectory { directory in
            try makeDirectory("\(directory)/open\(below)", mode: 0o755)
            let path = "\(directory)/open\(below)/module.so"
            try writeFile(path, "x", mode: 0o644)
            try setMode("\(directory)/open", place.mode)
            guard !place.isGood else { return try FileTrust.checkFile(path, "the module") }
            let error = #expect(throws: PlatformError.self) { try FileTrust.checkFile(path, "the module") }
            #expect(error?.code == .exposed)
            #expect(error?.message.contains("\(directory)/open has mode 0\(String(place.mode, radix: 8))") == true)
            #expect(error?.hint.contains("chmod o-w \(directory)/open") == true)
            #expect(throws: PlatformError(.exposed, "", hint: "")) { _ = try RegularFile.readTrusted(path: path, limit: 10) }
        }
    }

    @Test("a symbolic link is followed: what it leads to counts, and where it stands")
    func links() throws {
        try withTemporaryDirectory { directory in
            try makeDirectory("\(directory)/good", mode: 0o755)
            try makeDirectory("\(directory)/open", mode: 0o755)
            try writeFile("\(directory)/good/real", "x", mode: 0o644)
            try writeFile("\(directory)/open/real", "x", mode: 0o644)
            let files = FileManager.default
            try files.createSymbolicLink(atPath: "\(directory)/good/link", withDestinationPath: "\(directory)/open/real")
            try files.createSymbolicLink(atPath: "\(directory)/open/link", withDestinationPath: "\(directory)/good/real")
            for link in ["good", "open"] { try FileTrust.checkFile("\(directory)/\(link)/link", "the module") }
            try setMode("\(directory)/open", 0o777)
            for link in ["good", "open"] {
                #expect(throws: PlatformError(.exposed, "", hint: "")) {
                    try FileTrust.checkFile("\(directory)/\(link)/link", "the module")
                }
            }
        }
    }

    @Test("a file of another user's is not taken for one of one's own", .enabled(if: currentUser() == 0, "takes root"))
    func owner() throws {
        try withTemporaryDirectory { directory in
            try writeFile("\(directory)/agent.yaml", "x", mode: 0o644)
            try #require(giveAway("\(directory)/agent.yaml"))
            let error = #expect(throws: PlatformError.self) {
                _ = try RegularFile.readTrusted(path: "\(directory)/agent.yaml", limit: 10)
            }
            #expect(error?.code == .exposed && error?.message.contains("uid 4242") == true)
            #expect(try RegularFile.read(path: "\(directory)/agent.yaml", limit: 10) == Array("x".utf8))
        }
    }

    @Test("what is not there is said to be missing")
    func missing() {
        #expect(throws: PlatformError(.missing, "", hint: "")) { try FileTrust.checkFile("/nonexistent/module.so", "the module") }
        #expect(throws: PlatformError(.missing, "", hint: "")) { try UnixSocketPath("/nonexistent/s").checkDirectory() }
    }

    @Test(
        "a socket's directory is refused when its group or others could put another socket there",
        arguments: [(0o700, true), (0o755, true), (0o770, false), (0o757, false), (0o777, false)])
    func socketDirectory(mode: Int, isGood: Bool) throws {
        try withTemporaryDirectory { directory in
            try makeDirectory("\(directory)/run", mode: mode)
            let socket = try UnixSocketPath("\(directory)/run/agent.sock")
            guard !isGood else { return try socket.checkDirectory() }
            let error = #expect(throws: PlatformError.self) { try socket.checkDirectory() }
            #expect(error?.code == .exposed)
            #expect(error?.message.contains("mode 0\(String(mode, radix: 8))") == true)
            #expect(error?.hint.contains("chmod go-w \(directory)/run") == true)
        }
    }

    @Test("the sticky bit does not make it safe: the lock beside a socket is anybody's to make there, and to hold")
    func stickySocketDirectory() throws {
        try withTemporaryDirectory { directory in
            try makeDirectory("\(directory)/shared", mode: 0o1777)
            let error = #expect(throws: PlatformError.self) { try UnixSocketPath("\(directory)/shared/s").checkDirectory() }
            #expect(error?.code == .exposed)
            #expect(error?.message.contains("mode 1777") == true)
            // /tmp is to stay what it is.
            #expect(error?.hint.contains("chmod") == false && error?.hint.contains("a directory of its own") == true)
        }
    }

    @Test("and when it is another user's", .enabled(if: currentUser() == 0, "takes root"))
    func socketDirectoryOwner() throws {
        try withTemporaryDirectory { directory in
            try makeDirectory("\(directory)/run", mode: 0o755)
            try #require(giveAway("\(directory)/run"))
            let error = #expect(throws: PlatformError.self) { try UnixSocketPath("\(directory)/run/s").checkDirectory() }
            #expect(error?.code == .exposed && error?.message.contains("uid 4242") == true)
        }
    }
}

func makeDirectory(_ path: String, mode: Int) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try setMode(path, mode)
}

func setMode(_ path: String, _ mode: Int) throws {
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
}
