import AgentSettings
import DaemonKit
import Foundation

extension FuzzTarget {
    /// A configuration file of the agent.
    static let configuration = FuzzTarget(
        "configuration", "the agent's configuration file", longestInput: 4_096
    ) { bytes throws(Violation) in
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("privyseal-fuzz-\(UUID().uuidString)").path
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes), attributes: [.posixPermissions: 0o600])
        else {
            throw Violation("the input cannot be written to \(path)")
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            _ = try Settings(path: path)
        } catch let error as ConfigurationError {
            try check(error, bytes)
        } catch {
            throw Violation("an error without its place in the file: \(error)")
        }
    }

    /// An error is a line that names a place there is.
    private static func check(_ error: ConfigurationError, _ bytes: [UInt8]) throws(Violation) {
        let isText = String(validating: bytes, as: UTF8.self) != nil
        try require((error.code == .unreadable) == !isText, "the file was not looked at: \(error.message)")
        try require(isOneLine(error.message), "the message is not one line: \(error.message.debugDescription)")
        try require(isOneLine(error.hint), "the hint is not one line: \(error.hint.debugDescription)")
        try require((error.line == nil) == (error.column == nil), "half a place")
        guard let line = error.line, let column = error.column else { return }
        let breaks = String(decoding: bytes, as: UTF8.self).unicodeScalars.count {
            "\n\r\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0)
        }
        try require((1...breaks + 2).contains(line), "line \(line) is not in the file")
        try require((1...bytes.count + 1).contains(column), "column \(column) is not in the file")
    }
}
