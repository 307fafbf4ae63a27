import AgentClient
import AgentProtocol
import Foundation
import Glibc
import Platform
import RelyingParty

/// All a command touches of the world outside, so that tests can stand in for it.
struct Console: Sendable {
    /// Standard output: results and nothing else.
    var write: @Sendable ([UInt8]) throws -> Void
    /// Standard error, for questions, warnings and errors, and whoever answers.
    var terminal: Terminal
    /// All of standard input.
    var readInput: @Sendable () throws -> [UInt8]
    /// The bytes of a file.
    var readFile: @Sendable (_ path: String) throws -> [UInt8]
    var now: @Sendable () -> WireTime
    /// Returns when so much time has passed; throws when its task is cancelled.
    var pause: @Sendable (Duration) async throws -> Void
    /// A variable of the environment; nil when it is unset.
    var environment: @Sendable (_ name: String) -> String?
    var connect: @Sendable (_ socketPath: String) async throws -> any AgentSession
    /// What gets an issuer's documents, from servers whose certificates these have signed.
    var fetcher: @Sendable (_ authorities: CertificateAuthorities) -> DiscoveryFetcher

    /// Prints a text and ends its line.
    func print(_ text: String) throws {
        try write(Array(text.utf8) + [UInt8(ascii: "\n")])
    }

    /// Writes to standard error.
    func writeError(_ text: String) { terminal.write(text) }

    /// Prints warnings, a line each.
    func warn(_ warnings: some Sequence<String>) {
        for warning in warnings {
            writeError("warning: \(warning)\n")
        }
    }

    /// What an argument `FILE` or `-` stands for: a file's bytes or standard input's.
    func read(_ source: String) throws -> [UInt8] {
        source == "-" ? try readInput() : try readFile(source)
    }
}

extension Console {
    /// The process's own.
    static let process = Console(
        write: { bytes in try standardOutput(bytes) },
        terminal: .process,
        readInput: { [UInt8](try FileHandle.standardInput.readToEnd() ?? Data()) },
        readFile: { path in
            do {
                return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            } catch {
                throw Failure(
                    .failed, "cannot read \(path): \(error.localizedDescription)",
                    hint: "give a file you may read, or - for standard input")
            }
        },
        now: { WireTime(seconds: WallClock.now().seconds) },
        pause: { try await Task.sleep(for: $0) },
        environment: { Environment.value($0) },
        connect: { path in try await AgentSocket(path: path) },
        fetcher: { DiscoveryFetcher(authorities: $0, proxies: ProxySettings { Environment.value($0) }) })

    private static func standardOutput(_ bytes: [UInt8]) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(bytes))
        } catch {
            // Who closed the pipe has read what they wanted; the command itself has done its work.
            guard posixCode(of: error) != EPIPE else { return }
            throw Failure(
                .failed, "cannot write the result: \(error.localizedDescription)",
                hint: "what was asked of the agent has been done; look before repeating it")
        }
    }

    private static func posixCode(of error: any Error) -> Int32? {
        let error = error as NSError
        if error.domain == NSPOSIXErrorDomain { return Int32(exactly: error.code) }
        return (error.userInfo[NSUnderlyingErrorKey] as? NSError).flatMap { posixCode(of: $0) }
    }
}
