package import AgentProtocol
import Foundation
import Testing

/// `protocol.md`, cut into its method sections and JSON blocks.
package struct ProtocolDocument {
    package struct Block: Sendable {
        package let text: String
        package let value: JSONValue
        /// The method whose section it stands in.
        package let section: Method?
        /// Where it begins.
        package let line: Int
    }

    package let text: String
    package private(set) var blocks: [Block] = []
    package private(set) var sections: [Method: String] = [:]

    package init() throws {
        let root = try #require(Self.repository(above: URL(filePath: #filePath)))
        text = try String(contentsOf: root.appending(path: "protocol.md"), encoding: .utf8)
        var section: Method?
        var block: (start: Int, lines: [Substring])?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("## ") {
                let method = Method(rawValue: String(line.dropFirst(3)))
                section = Method.all.contains(method) ? method : nil
            }
            if let section {
                sections[section, default: ""] += line + "\n"
            }
            if line == "```json" {
                block = (index + 1, [])
            } else if line == "```", let finished = block {
                let text = finished.lines.joined(separator: "\n")
                blocks.append(
                    Block(
                        text: text, value: try JSONValue(parsing: Array(text.utf8)), section: section, line: finished.start))
                block = nil
            } else {
                block?.lines.append(line)
            }
        }
    }

    private static func repository(above file: URL) -> URL? {
        var directory = file.resolvingSymlinksInPath().deletingLastPathComponent()
        while directory.path() != "/" {
            if FileManager.default.fileExists(atPath: directory.appending(path: "protocol.md").path()) { return directory }
            directory = directory.deletingLastPathComponent()
        }
        return nil
    }
}

extension JSONValue {
    /// With every object's members sorted: for comparisons in which their order does not count.
    package var sorted: JSONValue {
        switch self {
        case .array(let elements): .array(elements.map(\.sorted))
        case .object(let members):
            .object(members.map { Member($0.name, $0.value.sorted) }.sorted { $0.name < $1.name })
        default: self
        }
    }
}
