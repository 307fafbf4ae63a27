import AgentClient
import AgentProtocol
import Platform
import RelyingParty

@testable import privyseal

/// Runs command lines the way `main` does, against a scripted agent.
struct CommandLineRun {
    /// 2026-11-24T10:00:00Z.
    static let now = WireTime("2026-11-24T10:00:00Z") ?? WireTime(seconds: 0)

    var agent = ScriptedSession()
    /// What answers in the agent's place, if anything does.
    var session: (any AgentSession)?
    /// What there is on standard input.
    var input = ""
    /// The answer typed on the terminal; nil when there is no terminal.
    var typed: String?
    var files: [String: String] = [:]
    var environment: [String: String] = [:]
    /// How long waiting takes; without end unless given.
    var pause: @Sendable (Duration) async throws -> Void = { _ in try await Task.sleep(for: .seconds(3600)) }
    /// The agent does not answer.
    var isUnreachable = false
    var fetcher = DiscoveryFetcher(fetch: { _ in FetchedDocument(status: 404, contentType: nil, body: []) })

    struct Outcome {
        let status: Int32
        let output: String
        let errors: String
        /// Where the client looked for the agent.
        let sockets: [String]
        /// Whose certificates a fetcher was asked for with.
        let authorities: [CertificateAuthorities]
    }

    private struct Streams {
        var output: [UInt8] = []
        var errors = ""
        var sockets: [String] = []
        var authorities: [CertificateAuthorities] = []
    }

    /// Words are separated by single spaces.
    func callAsFunction(_ line: String) async -> Outcome {
        await self(words: line.split(separator: " ").map(String.init))
    }

    func callAsFunction(words: [String]) async -> Outcome {
        let streams = Locked(Streams())
        let console = Console(
            write: { bytes in streams.withLock { $0.output += bytes } },
            terminal: Terminal(
                isInteractive: typed != nil, write: { text in streams.withLock { $0.errors += text } },
                readLine: { [typed] in typed }),
            readInput: { [input] in Array(input.utf8) },
            readFile: { [files] path in
                guard let text = files[path] else { throw Failure(.failed, "cannot read \(path)") }
                return Array(text.utf8)
            },
            now: { Self.now },
            pause: { [pause] in try await pause($0) },
            environment: { [environment] name in environment[name] },
            connect: { [agent, session, isUnreachable] path in
                streams.withLock { $0.sockets.append(path) }
                guard !isUnreachable else {
                    throw AgentUnreachable(
                        .refused, path: path, message: "nobody answers at \(path)", hint: "start it")
                }
                return session ?? agent
            },
            fetcher: { [fetcher] authorities in
                streams.withLock { $0.authorities.append(authorities) }
                return fetcher
            })
        let status = await PrivySeal.run(words, on: console)
        return streams.withLock {
            Outcome(
                status: status, output: String(decoding: $0.output, as: UTF8.self), errors: $0.errors, sockets: $0.sockets,
                authorities: $0.authorities)
        }
    }
}
