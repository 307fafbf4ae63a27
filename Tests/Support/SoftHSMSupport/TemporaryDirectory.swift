import Foundation

/// A directory for one test.
enum TemporaryDirectory {
    /// Makes a directory that only this user can enter.
    ///
    /// Always under /tmp: the path of a configuration in it must not be longer than the one it replaces
    /// (``SoftHSMLibrary``), and a Unix socket's path not longer than 107 bytes.
    static func make() throws -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        let name = String((0..<6).map { _ in letters[Int.random(in: letters.indices)] })
        let path = "/tmp/privyseal-\(name)"
        // Fails when there is one of that name, rather than sharing it.
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        return path
    }
}
