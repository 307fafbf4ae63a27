import Foundation
import ProcessSupport
import SoftHSMSupport
import Testing

/// Objects of other programs on a SoftHSM token: keys of every kind and data, put there by OpenSC's `pkcs11-tool`.
struct ForeignObjects {
    /// What each object's file holds, by name.
    private let files: [String: Data]
    private let directory: String

    /// Puts at least this many objects on a token that nobody uses just now. What `pkcs11-tool` makes is multiplied by
    /// copying files, which SoftHSM takes for further objects with the same attributes.
    init(_ count: Int, on token: SoftHSMToken) async throws {
        directory = try Self.directory(of: token)
        let own = try Self.objectFiles(directory)
        for arguments in [
            ["--keypairgen", "--key-type", "EC:edwards25519", "--id", "f1", "--label", "theirs"],
            ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "f2", "--label", "theirs"],
            ["--keypairgen", "--key-type", "rsa:2048", "--id", "f3", "--label", "theirs"],
            ["--keygen", "--key-type", "AES:32", "--id", "f4", "--label", "theirs"],
            ["--write-object", token.configurationPath, "--type", "data", "--label", "theirs"],
        ] {
            try await Self.tool(arguments, on: token)
        }
        let originals = try Self.objectFiles(directory).filter { own[$0.key] == nil }.sorted { $0.key < $1.key }
        try #require(originals.count == 8)
        for number in originals.count..<max(count, originals.count) {
            try originals[number % originals.count].value.write(
                to: URL(fileURLWithPath: "\(directory)/\(UUID().uuidString.lowercased()).object"))
        }
        files = try Self.objectFiles(directory).filter { own[$0.key] == nil }
    }

    var count: Int { files.count }

    /// Whether each of the objects is still there, byte for byte.
    func areUntouched() throws -> Bool {
        let now = try Self.objectFiles(directory)
        return files.allSatisfy { now[$0.key] == $0.value }
    }

    /// Puts an AES key on a token under this `CKA_ID`, in hexadecimal.
    static func addSecretKey(id: String, on token: SoftHSMToken) async throws {
        try await tool(["--keygen", "--key-type", "AES:32", "--id", id, "--label", "theirs"], on: token)
    }

    /// Puts a certificate on a token under this `CKA_ID`, in hexadecimal.
    static func addCertificate(id: String, on token: SoftHSMToken) async throws {
        let certificate = token.directory + "/theirs.der"
        let status = try await ChildProcess(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null",
                "-subj", "/CN=theirs", "-outform", "DER", "-out", certificate,
            ]
        ).status
        try #require(status == 0)
        try await tool(["--write-object", certificate, "--type", "cert", "--id", id, "--label", "theirs"], on: token)
    }

    private static func directory(of token: SoftHSMToken) throws -> String {
        let tokens = token.directory + "/tokens"
        let names = try FileManager.default.contentsOfDirectory(atPath: tokens)
        return tokens + "/" + (try #require(names.count == 1 ? names.first : nil))
    }

    private static func objectFiles(_ directory: String) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).filter {
            $0.hasSuffix(".object") && $0 != "token.object"
        }
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\($0)"))) })
    }

    private static func tool(_ arguments: [String], on token: SoftHSMToken) async throws {
        let process = try ChildProcess(
            "/usr/bin/pkcs11-tool", ["--module", token.modulePath, "--login", "--pin", "env:PIN"] + arguments,
            environment: ["PIN": String(decoding: token.userPIN, as: UTF8.self)])
        let status = await process.status
        try #require(status == 0, "pkcs11-tool \(arguments.joined(separator: " "))")
    }
}
