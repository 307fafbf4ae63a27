import Foundation
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@Suite("privyseald token fence-test")
struct FenceTestTests {
    private func run(_ site: Installation, _ more: String...) async throws -> Programs.Outcome {
        try await Programs.run(
            "privyseald", ["token", "fence-test", "--config", site.agentConfiguration] + more, environment: site.agentEnvironment)
    }

    /// Objects on the token with the label of the key.
    private func left(_ site: Installation) throws -> Int {
        let session = try site.token.session()
        return try session.findObjects([.label("privyseal-fence-test")]).count
    }

    @Test("says in one line what the token does, remembers it, and leaves nothing on the token")
    func finding() async throws {
        try await Installation.with { site in
            let outcome = try await run(site)
            #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
            #expect(outcome.output.split(separator: "\n").count == 1 && outcome.output.hasPrefix("token \""), "\(outcome)")
            let json = try await run(site, "--json")
            let found = try #require(
                try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any], "\(json)")
            // A fresh session finds nothing on any token.
            #expect(found["freshSession"] as? String != "signs")
            let stops = try #require(found["stops"] as? Bool)
            #expect(stops == (found["cachedHandle"] as? String != "signs"))
            #expect(outcome.output.contains("does not stop") != stops, "\(outcome.output)")
            let kept = try Data(contentsOf: URL(fileURLWithPath: "\(site.directory)/store.db.fence-test"))
            #expect(String(decoding: kept, as: UTF8.self) + "\n" == json.output)
            #expect(try left(site) == 0)
        }
    }

    @Test("sends a wrong PIN once, and says so by its exit status")
    func wrongPIN() async throws {
        try await Installation.with { site in
            try AtomicFile.write(Array("000000".utf8), to: site.token.pinFile, mode: 0o600)
            let outcome = try await run(site)
            #expect(outcome.status == 77, "\(outcome)")
            #expect(outcome.errors.split(separator: "\n").count == 2, "\(outcome)")
            try AtomicFile.write(site.token.userPIN, to: site.token.pinFile, mode: 0o600)
            #expect(try left(site) == 0)
        }
    }
}
