import Foundation

/// A directory of a test's own, removed with everything in it at the end.
func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("privyseal-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try body(directory.path)
}

/// Writes a file with a mode, whatever the umask.
func writeFile(_ path: String, _ bytes: [UInt8], mode: Int) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
}

func writeFile(_ path: String, _ text: String, mode: Int = 0o600) throws {
    try writeFile(path, Array(text.utf8), mode: mode)
}
