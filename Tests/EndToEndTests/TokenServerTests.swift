import AgentClient
import AgentProtocol
import Foundation
import Platform
import ProcessSupport
import SoftHSMSupport
import Testing

/// A token behind `p11-kit server`, which a test ends and starts as it likes.
private final class TokenServer {
    static let module = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/pkcs11/p11-kit-client.so" }
        .first(where: FileManager.default.fileExists(atPath:))

    private let token: SoftHSMToken
    private var daemon: Daemon?
    private var path: String { token.directory + "/p11" }

    init(_ token: SoftHSMToken) {
        self.token = token
    }

    var environment: [String: String] { ["P11_KIT_SERVER_ADDRESS": "unix:path=\(path)"] }

    func start() async throws {
        try? FileManager.default.removeItem(atPath: path)
        // Itself, not by way of `p11-kit`, which would be another process to end.
        let server = try Daemon(
            at: "/usr/libexec/p11-kit/p11-kit-server",
            ["--foreground", "--name", path, "--provider", token.modulePath, token.tokenURI],
            log: token.directory + "/p11-kit.log")
        daemon = server
        try #require(await poll("the server") { FileManager.default.fileExists(atPath: path) }, "\(server.text)")
    }

    /// Ends it, and the process that it has for each client.
    func end() async throws {
        guard let daemon else { return }
        let server = daemon.process.processIdentifier
        let children = try String(contentsOfFile: "/proc/\(server)/task/\(server)/children", encoding: .utf8)
        await daemon.end(SIGKILL)
        for child in children.split(separator: " ").compactMap({ Int32($0) }) { kill(child, SIGKILL) }
    }
}

@Suite("A token that goes away and comes back", .serialized)
struct TokenServerTests {
    /// An hour: whatever is waited for that long is not seen by a test.
    static let interval = "signing: { recoveryInterval: 1h }\npublicBaseURL:"

    @Test(
        "signs again once its server does, however often a new initialisation has failed, and health has named the cause",
        .enabled(if: TokenServer.module != nil, "p11-kit-modules is missing: run scripts/bootstrap"), arguments: [0, 3, 8])
    func server(seconds: Int) async throws {
        try await SoftHSMToken.with { token in
            let server = TokenServer(token)
            try await Installation(
                token, modulePath: TokenServer.module, agentEnvironment: server.environment
            ).run { site in
                try site.writeAgentConfiguration(replacing: ["publicBaseURL:": Self.interval])
                try await server.start()
                let agent = try await site.startAgent()
                let client = try await site.connect()
                _ = try await client.call(IssuerCreateParameters(issuer: "demo", settings: .init(algorithm: "ES256")))
                for _ in 1...2 {
                    try await server.end()
                    let isAway = await poll("the agent's notice") {
                        await #expect(throws: ProtocolError.self) { try await client.issue() }
                        return try await client.call(HealthParameters()).status == "unavailable"
                    }
                    try #require(isAway, "\(agent.text)")
                    try await Task.sleep(for: .seconds(seconds))
                    let problems = try await client.call(HealthParameters()).problems.map(\.message)
                    #expect(!problems.isEmpty)
                    #expect(problems.allSatisfy { !$0.contains("CKR_CRYPTOKI_NOT_INITIALIZED") }, "\(problems)")
                    try await server.start()
                    let isBack = await poll("a signature") { try await client.issue() }
                    #expect(isBack, "\(agent.text)")
                }
                // However long it was away, it was said so once each time.
                #expect(agent.text.components(separatedBy: "the token is in use again").count == 3, "\(agent.text)")
                #expect(agent.text.components(separatedBy: "initialising the PKCS#11 module anew").count == 3, "\(agent.text)")
                await client.close()
                #expect(await agent.end() == 0)
                try await server.end()
            }
        }
    }
}

extension AgentConnection {
    @discardableResult
    fileprivate func issue() async throws -> Bool {
        !(try await call(SignParameters(issuer: "demo", claims: ["sub": "me", "aud": "api"]))).jwt.isEmpty
    }
}
