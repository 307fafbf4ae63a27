import Foundation
import Platform
import TestSupport
import Testing

@Suite struct SecretTests {
    @Test(
        "one trailing newline is no part of a secret",
        arguments: [
            ("1234", "1234"), ("1234\n", "1234"), ("1234\r\n", "1234"), ("1234\n\n", "1234\n"), (" 12 34 ", " 12 34 "),
            ("\n1", "\n1"),
        ])
    func newline(content: String, secret: String) throws {
        try withTemporaryDirectory { directory in
            try writeFile("\(directory)/pin", content)
            #expect(try SecretFile.read(path: "\(directory)/pin") == Array(secret.utf8))
        }
    }

    @Test(
        "a file that others can reach is refused, and the message names its mode", arguments: [0o640, 0o604, 0o620, 0o602, 0o666])
    func exposed(mode: Int) throws {
        try withTemporaryDirectory { directory in
            try writeFile("\(directory)/pin", "1234", mode: mode)
            let error = #expect(throws: PlatformError.self) { try SecretFile.read(path: "\(directory)/pin") }
            #expect(error?.code == .exposed)
            #expect(error?.message.contains("0\(String(mode, radix: 8))") == true)
            #expect(error?.message.contains("1234") == false)
        }
    }

    @Test("a file of up to 4 KiB is read, one byte more is refused")
    func limit() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/pin"
            try writeFile(path, [UInt8](repeating: 0x61, count: SecretBytes.limit), mode: 0o400)
            #expect(try SecretFile.read(path: path).count == SecretBytes.limit)
            try FileManager.default.removeItem(atPath: path)
            try writeFile(path, [UInt8](repeating: 0x61, count: SecretBytes.limit + 1), mode: 0o400)
            #expect(throws: PlatformError(.tooLong, "", hint: "")) { try SecretFile.read(path: path) }
        }
    }

    @Test("a missing file, an empty one, a lone newline, a directory and a FIFO each have their error")
    func refusals() throws {
        try withTemporaryDirectory { directory in
            func code(_ name: String) -> PlatformError.Code? {
                #expect(throws: PlatformError.self) { try SecretFile.read(path: "\(directory)/\(name)") }?.code
            }
            #expect(code("absent") == .missing)
            try writeFile("\(directory)/empty", "")
            #expect(code("empty") == .empty)
            try writeFile("\(directory)/newline", "\n")
            #expect(code("newline") == .empty)
            try FileManager.default.createDirectory(atPath: "\(directory)/folder", withIntermediateDirectories: false)
            #expect(code("folder") == .notRegularFile)
            #expect(makeFIFO("\(directory)/fifo"))
            #expect(code("fifo") == .notRegularFile)
        }
    }

    @Test("where nobody else may change it either, it is refused when others own it or can replace it")
    func trusted() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/key"
            try writeFile(path, [UInt8](repeating: 0x61, count: 5000), mode: 0o400)
            func read(_ limit: Int = 5000, credentials: String? = nil) throws -> Int {
                try SecretFile.readTrusted(path: path, limit: limit, credentials: credentials).count
            }
            #expect(try read() == 5000)
            #expect(throws: PlatformError(.tooLong, "", hint: "")) { try read(4999) }
            try FileManager.default.setAttributes([.posixPermissions: 0o440], ofItemAtPath: path)
            #expect(throws: PlatformError(.exposed, "", hint: "")) { try read() }
            #expect(throws: PlatformError(.exposed, "", hint: "")) { try read(credentials: "/run/credentials") }
            #expect(try read(credentials: directory) == 5000)
            try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: path)
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory)
            #expect(throws: PlatformError(.exposed, "", hint: "")) { try read() }
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory)
            // Takes root.
            if giveAway(path) { #expect(throws: PlatformError(.exposed, "", hint: "")) { try read() } }
        }
    }

    @Test("wiping empties the buffer")
    func wipe() {
        var secret: [UInt8] = [1, 2, 3]
        SecretBytes.wipe(&secret)
        #expect(secret.isEmpty)
        SecretBytes.wipe(&secret)
    }

    @Test("a systemd credential may show group bits, which are its ACL's mask, but none for others")
    func credential() throws {
        try withTemporaryDirectory { directory in
            try writeFile("\(directory)/pin", "1234\n", mode: 0o440)
            #expect(try SystemdCredential.read("pin", directory: directory) == Array("1234".utf8))
            try writeFile("\(directory)/open", "1234\n", mode: 0o444)
            #expect(throws: PlatformError(.exposed, "", hint: "")) { try SystemdCredential.read("open", directory: directory) }
            #expect(throws: PlatformError(.missing, "", hint: "")) { try SystemdCredential.read("absent", directory: directory) }
        }
    }

    @Test("a credential is named, not addressed by a path", arguments: ["../pin", "", ".", "..", "a/b"])
    func credentialName(name: String) {
        #expect(throws: PlatformError(.malformed, "", hint: "")) { try SystemdCredential.read(name, directory: "/") }
    }

    @Test("without a credentials directory there is no credential")
    func noCredentials() {
        #expect(throws: PlatformError(.missing, "", hint: "")) { try SystemdCredential.read("pin", directory: nil) }
    }

    @Test("a secret taken from the environment is gone from /proc/PID/environ too")
    func environment() async {
        await #expect(processExitsWith: .success) {
            func environ() throws -> Data {
                try #require(FileManager.default.contents(atPath: "/proc/self/environ"))
            }
            // A variable every process has: what a program sets itself does not show in /proc.
            let path = try #require(Environment.value("PATH"))
            try #require(try environ().range(of: Data("PATH=\(path)".utf8)) != nil)
            #expect(try EnvironmentSecret.take("PATH") == Array(path.utf8))
            #expect(try environ().range(of: Data(path.utf8)) == nil)
            #expect(Environment.value("PATH") == nil)
            #expect(throws: PlatformError(.missing, "", hint: "")) { try EnvironmentSecret.take("PATH") }
        }
    }

    @Test("a variable over the limit is refused and gone all the same; an empty one is refused")
    func environmentLimits() async {
        await #expect(processExitsWith: .success) {
            setVariable("PRIVYSEAL_TEST_LONG", String(repeating: "x", count: SecretBytes.limit + 1))
            #expect(throws: PlatformError(.tooLong, "", hint: "")) { try EnvironmentSecret.take("PRIVYSEAL_TEST_LONG") }
            #expect(Environment.value("PRIVYSEAL_TEST_LONG") == nil)
            setVariable("PRIVYSEAL_TEST_EMPTY", "")
            #expect(throws: PlatformError(.empty, "", hint: "")) { try EnvironmentSecret.take("PRIVYSEAL_TEST_EMPTY") }
        }
    }
}
