import Foundation

/// A directory of one test's own.
package enum TemporaryDirectory {
    /// Makes a directory that only this user can enter, whatever the umask; to be removed by the caller.
    ///
    /// Always right under /tmp: a Unix socket in it must not have a path of more than 107 bytes, and the path of a SoftHSM
    /// configuration in it not be longer than the one it replaces.
    package static func make() throws -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        let name = String((0..<6).map { _ in letters[Int.random(in: letters.indices)] })
        let path = "/tmp/privyseal-\(name)"
        // Fails when there is one of that name, rather than sharing it.
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        return path
    }
}

/// Calls with a directory as ``TemporaryDirectory`` makes it, which is removed with everything in it at the end.
package func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let directory = try TemporaryDirectory.make()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try body(directory)
}

/// Calls with a directory as ``TemporaryDirectory`` makes it, which is removed with everything in it at the end.
package func withTemporaryDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let directory = try TemporaryDirectory.make()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try await body(directory)
}

/// Writes a file with a mode, whatever the umask.
package func writeFile(_ path: String, _ bytes: [UInt8], mode: Int) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
}

package func writeFile(_ path: String, _ text: String, mode: Int = 0o600) throws {
    try writeFile(path, Array(text.utf8), mode: mode)
}
