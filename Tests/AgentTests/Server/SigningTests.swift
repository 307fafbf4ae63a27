import AgentClient
import AgentProtocol
import Foundation
import JOSE
import Platform
import RelyingParty
import Testing

@Suite("Signing, through the socket")
struct SigningTests {
    @Test(
        "a JWT verifies against the published keys and has exactly alg, kid and typ in its header", arguments: ["ES256", "RS256"])
    func headerAndSignature(algorithm: String) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(algorithm: algorithm, standby: false)
            let result = try await client.sign()
            let parts = result.jwt.split(separator: ".").map(String.init)
            #expect(parts.count == 3)
            #expect(result.header == parts[0])
            #expect(result.signature == parts[2])
            #expect(result.alg == algorithm)
            let header = String(decoding: try Base64URL.decode(parts[0]), as: UTF8.self)
            #expect(header == "{\"alg\":\"\(algorithm)\",\"kid\":\"\(result.kid)\",\"typ\":\"JWT\"}")
            #expect(result.expiresAt.seconds == agent.clock.now + 3_600)
            let verified = try await client.verify(result.jwt, now: agent.clock.now)
            #expect(verified.claims.expiresAt == Double(agent.clock.now + 3_600))
        }
    }

    @Test("claims that are given keep their bytes, and those that are absent are filled in before them")
    func claimsKeepTheirBytes() async throws {
        try await AgentFixture.with { agent, client in
            let iss = try await client.create(standby: false).issuer
            let given = #""aud" : ["a","b"], "\u0073ub":"x", "n":1.50e3, "nested":{"z":1,"a":[ ]},"u":"é\/""#
            let slice = try JSONSlice(validating: Array("{\"issuer\":\"demo\",\"claims\":{\(given)}}".utf8))
            let reply = try JSONValue(parsing: try await client.callRaw(.sign, params: slice))
            let jwt = try #require(reply["jwt"]?.string)
            let payload = String(decoding: try await client.verify(jwt, now: agent.clock.now).payload, as: UTF8.self)
            let now = agent.clock.now
            #expect(payload.hasPrefix("{\"iss\":\"\(iss)\",\"iat\":\(now),\"nbf\":\(now),\"exp\":\(now + 3_600),\"jti\":\""))
            #expect(payload.hasSuffix("\"," + given + "}"))
        }
    }

    @Test("a payload is signed byte for byte")
    func payloadIsSigned() async throws {
        try await AgentFixture.with { agent, client in
            let iss = try await client.create(standby: false).issuer
            let now = agent.clock.now
            let payload = Array(" { \"exp\" :\(now + 600),\"iat\":\(now), \"aud\":\"a\",\"iss\":\"\(iss)\" }\t".utf8)
            let result = try await client.call(
                SignParameters(issuer: "demo", payload: Base64URL.encodeToString(payload)))
            #expect(try await client.verify(result.jwt, now: now).payload == payload)
        }
    }

    @Test("two hundred requests pipelined on one connection each get exactly one reply with their id")
    func pipelined() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            let socket = try RawSocket(agent.socketPath)
            let claims = "{\"issuer\":\"demo\",\"claims\":{\"aud\":\"a\"}}"
            let lines = (1...200).map { "{\"jsonrpc\":\"2.0\",\"id\":\($0),\"method\":\"sign\",\"params\":\(claims)}\n" }
            try await socket.send(Array(lines.joined().utf8))
            var ids: [Int64] = []
            for _ in 1...200 {
                let reply = try await socket.reply()
                #expect(reply["result"]?["jwt"]?.string != nil)
                ids.append(try #require(reply["id"]?.integer))
            }
            #expect(ids.sorted() == Array(1...200))
            #expect(try await socket.ask(#"{"jsonrpc":"2.0","id":"last","method":"version"}"#)["id"] == "last")
        }
    }

    @Test("what a caller sent before it closed its side is answered in full, however late it reads")
    func halfClosed() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            let socket = try RawSocket(agent.socketPath)
            // The replies are more than the agent writes unread; the requests are less than it and the kernel take until then.
            let padding = String(repeating: "x", count: 15_000)
            let claims = "{\"issuer\":\"demo\",\"claims\":{\"aud\":\"a\",\"p\":\"\(padding)\"}}"
            let lines = (1...20).map { "{\"jsonrpc\":\"2.0\",\"id\":\($0),\"method\":\"sign\",\"params\":\(claims)}\n" }
            try await socket.send(Array(lines.joined().utf8))
            socket.closeWriting()
            // The next caller's answer shows that the agent has had its turn with the first.
            for _ in 1...20 { _ = try await client.sign() }
            var ids: [Int64] = []
            for _ in 1...20 { ids.append(try #require(try await socket.reply()["id"]?.integer)) }
            #expect(ids.sorted() == Array(1...20))
        }
    }
}
