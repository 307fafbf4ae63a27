import AgentProtocol
import Foundation
import TLSSupport
import TestSupport
import Testing

@testable import OIDCFrontend

@Suite("A certificate and its key")
struct ServerCertificateTests {
    @Test("are taken whatever the kind of the key, and their end is known", arguments: TestCertificate.Kind.allCases)
    func kinds(kind: TestCertificate.Kind) async throws {
        try await withTemporaryDirectory { directory in
            let files = try await TestCertificate.make(in: directory, "server", kind, days: 30).files
            let certificate = try ServerCertificate(reading: files, at: today(0))
            #expect((30 * 86_400 - 600...30 * 86_400).contains(certificate.endsAt.seconds - today(0).seconds))
            #expect(certificate.warning(at: today(0)) == nil)
        }
    }

    @Test("from 14 days before the end on there is a warning, and at the end another")
    func warning() async throws {
        try await withTemporaryDirectory { directory in
            let files = try await TestCertificate.make(in: directory, days: 90).files
            let certificate = try ServerCertificate(reading: files, at: today(0))
            let end = certificate.endsAt
            #expect(certificate.warning(at: Moment(seconds: end.seconds - 14 * 86_400)) == nil)
            #expect(
                certificate.warning(at: Moment(seconds: end.seconds - 14 * 86_400 + 1))
                    == "the TLS certificate is valid until \(end.text) only, 13 days from now")
            #expect(certificate.warning(at: Moment(end))?.hasSuffix("0 days from now") == true)
            #expect(
                certificate.warning(at: Moment(seconds: end.seconds + 1))
                    == "the TLS certificate was valid until \(end.text): clients refuse it")
        }
    }

    @Test("are refused before the time of the certificate and after it")
    func time() async throws {
        try await withTemporaryDirectory { directory in
            let files = try await TestCertificate.make(in: directory, days: 2).files
            for (days, text) in [(-1, "is valid from "), (3, "was valid until ")] as [(Int64, String)] {
                let error = #expect(throws: FrontendError.self) { try ServerCertificate(reading: files, at: today(days)) }
                #expect(error?.code == .certificateNotValid)
                #expect(error?.message.hasPrefix("the certificate in \(files.certificate) \(text)") == true)
            }
        }
    }

    @Test("are refused when they do not belong together")
    func pair() async throws {
        try await withTemporaryDirectory { directory in
            let first = try await TestCertificate.make(in: directory, "first")
            for kind in TestCertificate.Kind.allCases {
                let second = try await TestCertificate.make(in: directory, "second", kind)
                let files = TLSFiles(certificate: first.certificate, key: second.key)
                let error = #expect(throws: FrontendError.self) { try ServerCertificate(reading: files, at: today(0)) }
                #expect(error?.code == .certificateUnusable)
                #expect(
                    error?.message
                        == "the private key \(second.key) does not belong to the first certificate in \(first.certificate)")
            }
        }
    }

    @Test("a chain begins with the server's own certificate")
    func chain() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await TestCertificate.make(in: directory, "server")
            let other = try await TestCertificate.make(in: directory, "authority")
            let texts = try [server, other].map { try String(contentsOfFile: $0.certificate, encoding: .utf8) }
            let path = directory + "/chain.pem"
            try write(texts[0] + texts[1], to: path, mode: 0o644)
            #expect(try ServerCertificate(reading: TLSFiles(certificate: path, key: server.key), at: today(0)).chain.count == 2)
            try write(texts[1] + texts[0], to: path, mode: 0o644)
            #expect(throws: FrontendError.self) {
                try ServerCertificate(reading: TLSFiles(certificate: path, key: server.key), at: today(0))
            }
        }
    }

    @Test(
        "a file that holds something else is refused by name", arguments: ["", "\n", "nonsense\n", "cut", "the other"])
    func content(content: String) async throws {
        try await withTemporaryDirectory { directory in
            let good = try await TestCertificate.make(in: directory)
            for (path, other, complaint) in [
                (good.certificate, good.key, "certificate"), (good.key, good.certificate, "key"),
            ] {
                let before = try String(contentsOfFile: path, encoding: .utf8)
                let text =
                    switch content {
                    case "cut": String(before.prefix(before.count / 2))
                    case "the other": try String(contentsOfFile: other, encoding: .utf8)
                    default: content
                    }
                try write(text, to: path, mode: 0o600)
                let error = #expect(throws: FrontendError.self) { try ServerCertificate(reading: good.files, at: today(0)) }
                #expect(error?.code == .certificateUnusable)
                #expect(error?.message.contains(path) == true && error?.message.contains(complaint) == true, "\(error!)")
                try write(before, to: path, mode: 0o600)
            }
        }
    }

    @Test("a key with a passphrase is refused, and the hint says so; nobody is asked for it")
    func passphrase() async throws {
        try await withTemporaryDirectory { directory in
            let good = try await TestCertificate.make(in: directory)
            let files = TLSFiles(certificate: good.certificate, key: directory + "/encrypted.key")
            try await TestCertificate.openssl(
                ["pkcs8", "-topk8", "-in", good.key, "-out", files.key, "-passout", "pass:secret"])
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: files.key)
            let error = #expect(throws: FrontendError.self) { try ServerCertificate(reading: files, at: today(0)) }
            #expect(error?.hint == "name the file with the private key; it must not be encrypted with a passphrase")
        }
    }

    @Test("a key that others can read or write is refused, and the message names its mode", arguments: [0o640, 0o604, 0o620])
    func exposedKey(mode: Int) async throws {
        try await withTemporaryDirectory { directory in
            let good = try await TestCertificate.make(in: directory)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: good.key)
            let error = #expect(throws: FrontendError.self) { try ServerCertificate(reading: good.files, at: today(0)) }
            #expect(error?.code == .certificateUnusable)
            #expect(error?.message.contains("has mode 0\(String(mode, radix: 8))") == true)
            #expect(error?.hint.hasPrefix("chmod 0600 \(good.key)") == true)
        }
    }

    @Test("a certificate that others can write is refused, one that all can read is not")
    func exposedCertificate() async throws {
        try await withTemporaryDirectory { directory in
            let good = try await TestCertificate.make(in: directory)
            try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: good.certificate)
            _ = try ServerCertificate(reading: good.files, at: today(0))
            try FileManager.default.setAttributes([.posixPermissions: 0o664], ofItemAtPath: good.certificate)
            let error = #expect(throws: FrontendError.self) { try ServerCertificate(reading: good.files, at: today(0)) }
            #expect(error?.message.contains("0664") == true)
        }
    }

    @Test("what is not there is refused by name")
    func missing() async throws {
        try await withTemporaryDirectory { directory in
            let good = try await TestCertificate.make(in: directory)
            for files in [
                TLSFiles(certificate: directory + "/none", key: good.key),
                TLSFiles(certificate: good.certificate, key: directory + "/none"),
            ] {
                let error = #expect(throws: FrontendError.self) { try ServerCertificate(reading: files, at: today(0)) }
                #expect(error?.message.contains("\(directory)/none: No such file or directory") == true)
            }
        }
    }

    private func write(_ text: String, to path: String, mode: Int) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
}

/// So many days from now, by the clock that openssl goes by.
func today(_ days: Int64) -> Moment {
    Moment(seconds: Int64(Date().timeIntervalSince1970) + days * 86_400)
}

extension TestCertificate {
    var files: TLSFiles { TLSFiles(certificate: certificate, key: key) }
}
