import FaultyTokenSupport
import Foundation
import PKCS11
import ProcessSupport
import SoftHSMSupport
import Testing

@Suite("The faulty token's README")
struct DocumentationTests {
    @Test("builds it with one command, and what that builds works")
    func builds() async throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("FaultyToken")
        let text = try String(contentsOf: sources.appendingPathComponent("README.md"), encoding: .utf8)
        let command = try #require(text.split(separator: "\n").first { $0.hasPrefix("cc ") })
        try await SoftHSMToken.with { token in
            let path = token.directory + "/built.so"
            let build = String(command).replacing("-o libFaultyToken.so", with: "-Wall -Werror -o \(path)")
            let status = try await ChildProcess("/bin/sh", ["-c", "cd '\(sources.path)' && \(build)"]).status
            try #require(status == 0)
            try "module=\(token.modulePath)\n".write(toFile: path + ".conf", atomically: true, encoding: .utf8)
            let module = try Module(path: path)
            try module.initialize()
            #expect(try module.findSlot(matching: TokenURI(token.tokenURI)).tokenInfo().label == token.label)
            try module.finalize()
        }
    }

    @Test("names every action and condition that the rules know")
    func names() throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("FaultyToken")
        let text = try String(contentsOf: sources.appendingPathComponent("README.md"), encoding: .utf8)
        let parser = try String(contentsOf: sources.appendingPathComponent("parse.c"), encoding: .utf8)
        let words = parser.matches(of: /(?:IS\(|\{|strcmp\(word, )"([a-z][a-z-]+)"/).map { String($0.output.1) }
            .filter { !["us", "ms", "s"].contains($0) }
        #expect(words.count > 25)
        for word in Set(words) { #expect(text.contains("`\(word)=") || text.contains("`\(word)`"), "\(word)") }
    }
}
