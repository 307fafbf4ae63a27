import Foundation
import Testing

@Suite struct LayoutTests {
    @Test("every source file keeps to the rules of its place")
    func rules() throws {
        let files = try SourceTree.files()
        try #require(!files.isEmpty)
        let violations = files.flatMap(\.violations)
        #expect(violations.isEmpty, "\n\(violations.map(\.description).joined(separator: "\n"))")
    }

    @Test("every directory in Sources is a target of Package.swift and has its rules, and no module is called Configuration")
    func targets() throws {
        let manifest = try String(contentsOf: SourceTree.root.appendingPathComponent("Package.swift"), encoding: .utf8)
        let pattern = /(?:\b(?:library|executable)\(\s*|\.(?:target|systemLibrary|executableTarget)\(\s*name:\s*)"([^"\\]+)"/
        let declared = Set(manifest.matches(of: pattern).map { String($0.output.1) })
        let directories = Set(try SourceTree.targets())
        #expect(directories.subtracting(declared).isEmpty, "not in Package.swift")
        #expect(directories == Set(Rules.imports.keys), "the table of imports and Sources differ")
        #expect(!directories.contains("Configuration"), "a dependency has a module of that name")
    }

    @Test("each file that may read a clock is there, does so, and says why")
    func clockFiles() throws {
        let files = Dictionary(uniqueKeysWithValues: try SourceTree.files().map { ($0.path, $0) })
        for (path, reason) in Rules.clockFiles {
            #expect(files[path]?.clockReadingLines.isEmpty == false, "\(path) is gone or reads no clock")
            #expect(!reason.isEmpty)
        }
    }

    @Test("in the tests, only the faulty token and its tests see Cryptoki itself")
    func cryptoki() throws {
        let files = FileManager.default.enumerator(at: SourceTree.tests, includingPropertiesForKeys: nil)
        var seeing: Set<String> = []
        for case let file as URL in try #require(files) where ["swift", "c", "h"].contains(file.pathExtension) {
            let path = file.resolvingSymlinksInPath().path.dropFirst(SourceTree.tests.path.count + 1)
            let text = try String(contentsOf: file, encoding: .utf8)
            let source = SourceFile(path: String(path), text: text)
            let includes = source.lines.contains { $0.hasPrefix("#include <p11-kit/") }
            guard includes || source.imports.contains(where: { $0.module == "CCryptoki" }) else { continue }
            seeing.insert(String(path.prefix { $0 != "/" }))
        }
        #expect(seeing == Rules.cryptokiTests)
    }
}
