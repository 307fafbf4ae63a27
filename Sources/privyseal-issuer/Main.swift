import ArgumentParser
import DaemonKit
import Foundation
import OIDCFrontend
import Platform

/// Exit statuses: 0 done, 1 failed, 2 usage, 78 a configuration that starting again does not make better.
@main
struct Main {
    @MainActor
    static func main() async {
        ProcessStart.harden()
        do {
            var command = try IssuerFrontendCommand.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as StartupFailure {
            failure.report()
            exit(failure.exitCode)
        } catch {
            end(with: error)
        }
    }

    /// Help and the version go to standard output, usage errors to standard error.
    private static func end(with error: any Error) -> Never {
        let code = IssuerFrontendCommand.exitCode(for: error)
        let text = IssuerFrontendCommand.fullMessage(for: error)
        guard !code.isSuccess else {
            print(text)
            exit(0)
        }
        StandardError.write(Array("\(text)\n".utf8))
        exit(code == .validationFailure ? 2 : code.rawValue)
    }
}

struct IssuerFrontendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "privyseal-issuer",
        abstract: "Serves the OIDC discovery documents and public keys of PrivySeal's issuers over HTTP or HTTPS.",
        discussion: """
            Follows the agent, privyseald, over its Unix socket and serves what it says: for every enabled issuer, and for \
            every former issuer URL until its overlap has passed,

              GET {issuer path}.well-known/openid-configuration
              GET {issuer path}openid/v1/jwks
              GET /healthz    200 while the process serves
              GET /readyz     503 while the agent's last word is older than staleAfter, or is not about what is served

            It cannot sign, and holds no secret but its TLS key. While the agent is away it serves the last known documents, after a restart \
            of its own as well, and drops keys and URLs when they expire.

            It terminates TLS itself where the configuration names a certificate, and otherwise speaks plain HTTP: listen on \
            loopback then, or behind a proxy that terminates TLS. The path selects the issuer, \
            not the Host header, so a proxy may use any name as long as it keeps the path.

            EXIT STATUS: 0 done, 1 failed, 2 usage, 78 the configuration file cannot be used.
            """,
        version: "privyseal-issuer \(FrontendVersion.current)",
        subcommands: [ServeCommand.self, CheckCommand.self, AcceptCommand.self])
}
