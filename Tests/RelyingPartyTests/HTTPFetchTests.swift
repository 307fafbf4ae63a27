import RelyingParty
import Testing

@Suite("discovery over HTTP", .enabled(if: LoopbackServer.isAvailable, "needs python3 for a server to talk to"))
struct HTTPFetchTests {
    @Test("discovery document and key set are fetched from a server")
    func fetches() async throws {
        try await LoopbackServer.run { url in
            let published = try await DiscoveryFetcher().issuer(url + "/ok")
            #expect(published.jwksURI == url + "/ok/jwks")
            #expect(published.keySet == Array(#"{"keys":[]}"#.utf8))
        }
    }

    @Test("a redirection is followed, and the document behind it still has to name the issuer asked")
    func redirection() async throws {
        try await LoopbackServer.run { url in
            await #expect(throws: failure(.discoveryIssuerMismatch)) {
                try await DiscoveryFetcher().issuer(url + "/moved")
            }
        }
    }

    @Test(
        "a server that misbehaves is told from one that is not there",
        arguments: [
            ("missing", VerificationError.Code.httpStatus), ("large", .documentTooLarge), ("cut", .unreachable),
            ("circle", .httpStatus),
        ])
    func misbehaves(kind: String, code: VerificationError.Code) async throws {
        try await LoopbackServer.run { url in
            await #expect(throws: failure(code)) { try await DiscoveryFetcher().issuer("\(url)/\(kind)") }
        }
    }

    @Test("a server that does not come to an end is given up", arguments: ["silent", "dripping"])
    func givesUp(kind: String) async throws {
        try await LoopbackServer.run { url in
            await #expect(throws: failure(.unreachable)) {
                try await DiscoveryFetcher(timeout: .milliseconds(400)).issuer("\(url)/\(kind)")
            }
        }
    }

    @Test("a server that is gone is unreachable, and the error says where it was looked for")
    func gone() async throws {
        // Port 1 is reserved (tcpmux): nothing of ours listens there.
        let error = try #require(
            await #expect(throws: failure(.unreachable)) { try await DiscoveryFetcher().issuer("http://127.0.0.1:1") })
        #expect(error.message.contains("http://127.0.0.1:1/.well-known/openid-configuration"))
        #expect(error.message.contains("Connection refused"), "\(error.message)")
        #expect(!error.message.contains("\n"))
    }

    @Test("a host that there is not is said to be none")
    func noHost() async throws {
        let error = await #expect(throws: failure(.unreachable)) { try await DiscoveryFetcher().issuer("http://nowhere.invalid") }
        #expect(error?.message.hasSuffix("there is no host nowhere.invalid") == true, "\(error?.message ?? "")")
    }
}
