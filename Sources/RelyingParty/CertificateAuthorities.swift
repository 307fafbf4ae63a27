import Foundation
import NIOSSL

/// Whose signature on a server's certificate counts.
public enum CertificateAuthorities: Sendable, Equatable {
    /// Those that this machine trusts.
    case machine
    /// Those whose certificates stand in these files, PEM, and in the files of these directories, and no others.
    case named(files: [String], directories: [String])

    /// Those of `file`; without it those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, a list separated by colons, as OpenSSL has them; without
    /// these the machine's.
    public init(file: String?, environment: (String) -> String?) {
        if let file {
            // An empty name is no file: it is said so where it is read.
            self = .named(files: [file], directories: [])
            return
        }
        let files = [environment("SSL_CERT_FILE") ?? ""].filter { !$0.isEmpty }
        let directories = (environment("SSL_CERT_DIR") ?? "").split(separator: ":").map(String.init)
        self = files.isEmpty && directories.isEmpty ? .machine : .named(files: files, directories: directories)
    }

    /// - Throws: ``VerificationError/Code/authoritiesUnusable`` for a file that has no certificate, and for directories without any.
    func trustRoots() throws(VerificationError) -> NIOSSLTrustRoots {
        guard case .named(let files, let directories) = self else { return .default }
        var certificates: [NIOSSLCertificate] = []
        for file in files {
            do {
                certificates += try NIOSSLCertificate.fromPEMFile(file)
            } catch {
                throw VerificationError(
                    .authoritiesUnusable, "no certificate can be read from \(file)",
                    hint: "Give a file with the authority's certificate in PEM, by --ca-file or SSL_CERT_FILE.", cause: error)
            }
        }
        for directory in directories {
            // Whatever else lies there, and by whatever name; a certificate may be there as itself and by its hash.
            for name in (try? FileManager.default.contentsOfDirectory(atPath: directory).sorted()) ?? [] {
                certificates += (try? NIOSSLCertificate.fromPEMFile("\(directory)/\(name)")) ?? []
            }
        }
        guard !certificates.isEmpty else {
            throw VerificationError(
                .authoritiesUnusable, "there is no certificate in \(directories.joined(separator: ":"))",
                hint: "Name directories with certificates in PEM in SSL_CERT_DIR, or unset it.")
        }
        return .certificates(Array(Set(certificates)))
    }
}
