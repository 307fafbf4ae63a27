import Crypto
import Foundation
import ProcessSupport
import TestSupport
import Testing

@Suite("The search for secrets")
struct SecretSearchTests {
    private let secret = Secret("the PIN", text: "493817265014")
    private let noise = Data("2026-11-24T10:00:00Z info: a line 4938 17265014, and another\n".utf8)

    @Test(
        "finds a secret in each spelling, wherever it begins",
        arguments: [
            "493817265014", "PIN=493817265014;", "410562718394",
            "343933383137323635303134", "34:39:33:38:31:37:32:36:35:30:31:34", "34 39 33 38 31 37 32 36 35 30 31 34",
        ])
    func spellings(_ text: String) {
        #expect(secret.spelling(in: noise + Data(text.utf8) + noise) != nil)
    }

    @Test("finds a secret in base64 of more than it", arguments: 0..<6, [false, true])
    func base64(_ offset: Int, isForURLs: Bool) {
        let wrapped = Data(repeating: 0xFB, count: offset) + Data("493817265014".utf8) + Data(repeating: 0xFF, count: offset)
        var text = wrapped.base64EncodedString()
        if isForURLs { text = text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "") }
        #expect(secret.spelling(in: noise + Data(text.utf8)) != nil)
    }

    @Test("finds bytes that are no text in base64 of both alphabets", arguments: [false, true])
    func bytes(isForURLs: Bool) {
        let bytes: [UInt8] = [0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF, 0xFB, 0xEF, 0xBE, 0x00]
        var text = Data(bytes).base64EncodedString()
        if isForURLs { text = text.replacing("+", with: "-").replacing("/", with: "_") }
        #expect(Secret("a signature", bytes).spelling(in: Data(text.utf8)) != nil)
    }

    @Test("does not find what is not there")
    func absent() {
        let key = P256.Signing.PrivateKey()
        let evidence = Evidence(
            "a log", noise + Data(key.publicKey.derRepresentation) + Data(key.publicKey.pemRepresentation.utf8))
        #expect(SecretSearch(secrets: [secret], keys: PrivateKeySearch(key)).findings(in: [evidence]).isEmpty)
    }

    @Test("finds a private key by its public one, however it is written down")
    func privateKeys() throws {
        let key = P256.Signing.PrivateKey()
        let raw = key.rawRepresentation
        let hex = raw.map { String(format: "%02x", $0) }.joined()
        let base64 = raw.base64EncodedString()
        let spellings: [Data] = [
            raw, key.derRepresentation, Data(hex.utf8), Data(hex.uppercased().utf8), Data(base64.utf8),
            Data(key.derRepresentation.base64EncodedString().utf8),
            Data("x\(base64.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: ""))".utf8),
        ]
        let search = PrivateKeySearch(key)
        for spelling in spellings {
            #expect(search.kidsHeld(in: noise + spelling + noise) == ["k"], "\(String(decoding: spelling, as: UTF8.self))")
            #expect(PrivateKeySearch(P256.Signing.PrivateKey()).kidsHeld(in: noise + spelling + noise).isEmpty)
        }
        let pem = Evidence("a file", text: key.pemRepresentation)
        #expect(SecretSearch(secrets: []).findings(in: [pem]) == ["a private key (PRIVATE KEY-----) in a file"])
    }

    @Test("reads every file below a directory, the hidden and those in directories included, and leaves out what is exempt")
    func files() throws {
        try withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory + "/a/.b", withIntermediateDirectories: true)
            for name in ["pin", "audit.log", "a/.b/store.db-wal"] {
                try writeFile("\(directory)/\(name)", "493817265014")
            }
            let evidence = try Evidence.files(below: directory, except: [directory + "/pin"])
            let findings = SecretSearch(secrets: [secret]).findings(in: evidence)
            #expect(findings == ["a/.b/store.db-wal", "audit.log"].map { "the PIN as it is in \(directory)/\($0)" })
        }
    }

    @Test("sees the environment and the command line of a process")
    func process() async throws {
        let process = try ChildProcess("/bin/sleep", ["300", "0.493817265014"], environment: ["SEAL": "493817265014"])
        defer { kill(process.processIdentifier, SIGKILL) }
        let id = process.processIdentifier
        // In the midst of being started a process has neither.
        var evidence: [Evidence] = []
        await poll("the program") {
            evidence = try Evidence.process(id)
            return true
        }
        let findings = SecretSearch(secrets: [secret]).findings(in: evidence)
        #expect(findings == ["environ", "cmdline"].map { "the PIN as it is in /proc/\(id)/\($0)" })
    }
}

extension PrivateKeySearch {
    fileprivate init(_ key: P256.Signing.PrivateKey) {
        self.init()
        add(kid: "k", publicKey: Array(key.publicKey.rawRepresentation))
    }
}
