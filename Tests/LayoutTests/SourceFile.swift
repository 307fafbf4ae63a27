import Foundation

/// One Swift source file of the product.
struct SourceFile: Sendable {
    /// Relative to `Sources`, such as `Agent/Socket/Listener.swift`.
    let path: String
    /// As written.
    let lines: [Substring]
    /// The same lines without comments and without the text of string literals; code in interpolations stays.
    let code: [Substring]

    /// The identifiers in each line of code: a rule looks here first, because regular expressions take their time.
    private let words: [Set<String>]

    /// The directory in `Sources`.
    var target: String { String(path.prefix { $0 != "/" }) }

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = CodeScanner.code(of: text).split(separator: "\n", omittingEmptySubsequences: false)
        words = code.map { line in
            Set(line.utf8.split { !Self.isWordByte($0) }.compactMap { String($0) })
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    /// The numbers, from 1, of the lines whose code has one of the words and matches.
    func lineNumbers(with some: Set<String>, matching pattern: some RegexComponent) -> [Int] {
        code.indices.filter { !words[$0].isDisjoint(with: some) && code[$0].contains(pattern) }.map { $0 + 1 }
    }

    /// The modules the file imports, with their line, whatever attributes, access level or kind stand around them.
    var imports: [(module: String, line: Int)] {
        let pattern =
            /^\s*(?:(?:@\w+(?:\([^)]*\))?|public|package|internal|fileprivate|private)\s+)*import\s+(?:(?:struct|class|enum|protocol|typealias|actor|func|let|var)\s+)?(\w+)/
        return code.indices.filter { words[$0].contains("import") }.flatMap { index in
            // Several imports can share a line.
            code[index].split(separator: ";").compactMap { statement in
                statement.firstMatch(of: pattern).map { (String($0.output.1), index + 1) }
            }
        }
    }
}

/// The checkout these tests belong to.
enum SourceTree {
    /// The directory of `Package.swift`. The tests may be reached through a symbolic link; the real path counts.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent()

    static let sources = root.appendingPathComponent("Sources")
    static let tests = root.appendingPathComponent("Tests")

    /// The directories in `Sources`.
    static func targets() throws -> [String] {
        try FileManager.default.contentsOfDirectory(at: sources, includingPropertiesForKeys: [.isDirectoryKey])
            .filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
            .map(\.lastPathComponent).sorted()
    }

    /// All Swift files in `Sources`.
    static func files() throws -> [SourceFile] {
        try FileManager.default.subpathsOfDirectory(atPath: sources.path)
            .filter { $0.hasSuffix(".swift") }.sorted()
            .map { SourceFile(path: $0, text: try String(contentsOf: sources.appendingPathComponent($0), encoding: .utf8)) }
    }
}
