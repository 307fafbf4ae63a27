import Foundation
import Subprocess

/// A certificate for this machine, self-signed or by another, and its private key, made by openssl, in two files.
public struct TestCertificate: Sendable {
    /// What its key is.
    public enum Kind: String, Sendable, CaseIterable {
        case ecdsa, rsa, ed25519

        var arguments: [String] {
            switch self {
            case .ecdsa: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .rsa: ["rsa:2048"]
            case .ed25519: ["ed25519"]
            }
        }
    }

    /// The path of the certificate, PEM.
    public let certificate: String
    /// The path of the key, PEM, mode 0600.
    public let key: String

    /// Files that are there, whatever is in them.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    /// What openssl said instead of making one.
    public struct Failure: Error {
        public let text: String
    }

    /// Makes `NAME.pem` and `NAME.key` in a directory, valid from now on for so many days, signed by an authority's key or by its
    /// own. Its subject is `/CN=NAME` unless it is given.
    public static func make(
        in directory: String, _ name: String = "server", _ kind: Kind = .ecdsa, days: Int = 90,
        for names: String = "DNS:localhost,IP:127.0.0.1", subject: String? = nil, by authority: TestCertificate? = nil
    ) async throws -> TestCertificate {
        let made = TestCertificate(certificate: "\(directory)/\(name).pem", key: "\(directory)/\(name).key")
        try await openssl(
            ["req", "-x509", "-nodes", "-newkey"] + kind.arguments + [
                "-keyout", made.key, "-out", made.certificate, "-days", "\(days)", "-subj", subject ?? "/CN=\(name)",
                "-addext", "subjectAltName=\(names)",
            ] + (authority.map { ["-CA", $0.certificate, "-CAkey", $0.key, "-addext", "basicConstraints=CA:FALSE"] } ?? []))
        // Whatever the umask of whoever runs the tests.
        for (path, mode) in [(made.key, 0o600), (made.certificate, 0o644)] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        return made
    }

    /// Puts another certificate and key in the place of these, each at once, as a renewal does.
    public func replace(by other: TestCertificate) throws {
        for (from, to) in [(other.certificate, certificate), (other.key, key)] {
            let beside = to + ".new"
            try? FileManager.default.removeItem(atPath: beside)
            try FileManager.default.copyItem(atPath: from, toPath: beside)
            guard unsafe rename(beside, to) == 0 else { throw Failure(text: "rename \(to)") }
        }
    }

    /// Runs openssl, which must succeed; returns what it printed.
    @discardableResult
    public static func openssl(_ arguments: [String]) async throws -> String {
        let result = try await run(
            .name("openssl"), arguments: Arguments(arguments), output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else { throw Failure(text: result.standardError) }
        return result.standardOutput
    }
}
