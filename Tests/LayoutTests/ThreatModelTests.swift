import Foundation
import Testing

@Suite("docs/threat-model.md")
struct ThreatModelTests {
    @Test("each test that it names is there")
    func names() throws {
        let model = try String(
            contentsOf: SourceTree.root.appendingPathComponent("docs/threat-model.md"), encoding: .utf8)
        // The last column of the tables is what names tests, in italics.
        let columns = model.split(separator: "\n").filter { $0.hasPrefix("| ") && $0.hasSuffix(" |") }
            .compactMap { $0.split(separator: "|").last }
        let named = Set(columns.flatMap { $0.matches(of: /\*([^*]+)\*/).map { String($0.output.1) } })
        #expect(named.count > 50)
        let missing = named.subtracting(try titles())
        #expect(missing.isEmpty, "no test has these titles: \(missing.sorted())")
    }

    /// The title of every test and suite.
    private func titles() throws -> Set<String> {
        let files = try #require(FileManager.default.enumerator(at: SourceTree.tests, includingPropertiesForKeys: nil))
        var titles: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /@(?:Test|Suite)\(\s*"((?:[^"\\]|\\.)*)"/) { titles.insert(String(match.output.1)) }
        }
        return titles
    }
}
