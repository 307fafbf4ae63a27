import Foundation
import Testing

/// The pages of the repository, and what they and the sources refer to.
@Suite("The documents")
struct DocumentTests {
    private struct Text {
        /// Relative to the repository.
        let path: String
        let lines: [Substring]
    }

    /// Everything that people read: pages, sources, scripts, units.
    private static func texts(_ isWanted: (String) -> Bool = { _ in true }) throws -> [Text] {
        let kinds: Set = ["md", "swift", "c", "h", "sh", "py", "service", "socket", "conf"]
        let files = try #require(FileManager.default.enumerator(at: SourceTree.root, includingPropertiesForKeys: nil))
        var texts: [Text] = []
        for case let file as URL in files {
            if file.lastPathComponent.hasPrefix(".") {
                files.skipDescendants()
                continue
            }
            let path = String(file.path.dropFirst(SourceTree.root.path.count + 1))
            let isScript = path.hasPrefix("scripts/") && file.pathExtension.isEmpty
            guard kinds.contains(file.pathExtension) || isScript, isWanted(path),
                let text = try? String(contentsOf: file, encoding: .utf8)
            else { continue }
            texts.append(Text(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
        }
        return texts.sorted { $0.path < $1.path }
    }

    private static func pages() throws -> [Text] { try texts { $0.hasSuffix(".md") } }

    @Test("each link in a page leads to a file of the repository, and to a heading in it")
    func links() throws {
        let pages = try Self.pages()
        #expect(pages.count > 20)
        let anchors = Dictionary(
            uniqueKeysWithValues: pages.map { page in
                (page.path, Set(page.lines.filter { $0.hasPrefix("#") }.map(Self.anchor)))
            })
        for page in pages {
            let directory = URL(fileURLWithPath: page.path, relativeTo: SourceTree.root).deletingLastPathComponent()
            for (number, line) in page.lines.enumerated() where line.contains("](") {
                // Code has brackets of its own.
                let prose = line.replacing(/`[^`]*`/, with: "")
                for link in prose.matches(of: /\]\(([^)\s]+)\)/).map({ String($0.output.1) }) where !link.contains("://") {
                    let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                    let file = parts[0].isEmpty ? page.path : Self.path(directory.appendingPathComponent(String(parts[0])))
                    #expect(
                        FileManager.default.fileExists(atPath: SourceTree.root.appendingPathComponent(file).path),
                        "\(page.path):\(number + 1): \(link)")
                    if parts.count == 2, let there = anchors[file] {
                        #expect(there.contains(String(parts[1])), "\(page.path):\(number + 1): \(link)")
                    }
                }
            }
        }
    }

    @Test("no comment and no page refers to a document that is not in the repository")
    func references() throws {
        let texts = try Self.texts()
        let names = Set(texts.map { String($0.path.split(separator: "/").last ?? "") })
        for text in texts where text.path != "Tests/LayoutTests/DocumentTests.swift" {
            // Regular expressions take their time.
            for (number, line) in text.lines.enumerated() where line.contains(".md") || line.contains("design") {
                let prose = line.replacing(/https?:\/\/\S+/, with: "")
                for name in prose.matches(of: /[\w-]+\.md(?![\w-])/).map({ String($0.output) }) {
                    #expect(names.contains(name), "\(text.path):\(number + 1): \(name)")
                }
                #expect(!line.contains(/\b[Tt]he design(?:\b|'s)/), "\(text.path):\(number + 1): which design?")
            }
        }
    }

    @Test("what ARCHITECTURE.md names in code is there, and its rooms are those of the rules")
    func architecture() throws {
        let page = try #require(try Self.pages().first { $0.path == "ARCHITECTURE.md" })
        let sources = try Self.texts { $0.hasSuffix(".swift") }
        let words = Set(sources.flatMap { $0.lines.flatMap { $0.split { !$0.isLetter && !$0.isNumber && $0 != "_" } } })
        let paths = sources.map { "/" + $0.path }
        var named = 0
        for (number, line) in page.lines.enumerated() {
            for code in line.matches(of: /`([^`]+)`/).map(\.output.1) {
                if code.hasSuffix(".swift") {
                    named += 1
                    #expect(paths.contains { $0.hasSuffix("/" + code) }, "line \(number + 1): \(code)")
                } else if code.contains(/^[A-Z]\w*[a-z]\w*(?:\.\w+)*(?:\([\w:]*\))?$/), !code.hasSuffix(".md"), code != "Sources"
                {
                    named += 1
                    for word in code.prefix(while: { $0 != "(" }).split(separator: ".") {
                        #expect(words.contains(word), "line \(number + 1): \(code)")
                    }
                }
            }
        }
        #expect(named > 100)
        let text = page.lines.joined(separator: "\n")
        for rooms in Rules.rooms.values { #expect(text.contains(rooms.joined(separator: " ← "))) }
    }

    /// As GitHub and most others make one of a heading.
    private static func anchor(_ heading: Substring) -> String {
        let text = heading.drop { $0 == "#" }.drop { $0 == " " }.replacing(/\[([^\]]*)\]\([^)]*\)/) { $0.output.1 }
        return String(text.lowercased().filter { $0.isLetter || $0.isNumber || " -_".contains($0) }.map { $0 == " " ? "-" : $0 })
    }

    /// A file's path in the repository, without `..`.
    private static func path(_ file: URL) -> String {
        String(file.standardizedFileURL.path.dropFirst(SourceTree.root.standardizedFileURL.path.count + 1))
    }
}
