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

    @Test("no room of a target uses what stands in a later one", arguments: Rules.rooms.keys)
    func rooms(target: String) throws {
        let rooms = try #require(Rules.rooms[target])
        let files = try SourceTree.files().filter { $0.target == target }
        let graph = RoomGraph(files: files, rooms: rooms)
        for room in rooms { #expect(graph.declared(in: room) > 0, "\(target)/\(room) declares nothing") }
        let violations = graph.violations
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

    @Test("no C file waits for a moment of the clock that can be set")
    func waitsInC() throws {
        let waits =
            /\b(?:sem_timedwait|pthread_cond_timedwait|pthread_mutex_timedlock|pthread_rwlock_timed\w+|TIMER_ABSTIME)\b|wait\w*\(.*\bCLOCK_REALTIME\b/
        #expect("x = sem_clockwait(semaphore, CLOCK_REALTIME, &end)".contains(waits) && "  sem_timedwait(a, b)".contains(waits))
        let files = try FileManager.default.subpathsOfDirectory(atPath: SourceTree.sources.path)
            .filter { $0.hasSuffix(".c") || $0.hasSuffix(".h") }
        try #require(!files.isEmpty)
        for path in files {
            let text = try String(contentsOf: SourceTree.sources.appendingPathComponent(path), encoding: .utf8)
            for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let code = line.prefix(upTo: line.firstRange(of: "//")?.lowerBound ?? line.endIndex)
                #expect(!code.contains(waits), "Sources/\(path):\(number + 1)")
            }
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
