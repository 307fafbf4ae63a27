import Foundation
import ProcessSupport
import Testing

@Suite("An agent whose store is not the one it had")
struct WhoseDocumentsTests {
    /// Everything that belongs to the store, out of the way, or back.
    private func moveStore(_ site: Installation, from: String, to: String) throws {
        let files = FileManager.default
        for suffix in ["", "-wal", "-shm"] where files.fileExists(atPath: site.directory + from + suffix) {
            try files.moveItem(atPath: site.directory + from + suffix, toPath: site.directory + to + suffix)
        }
    }

    @Test("does not start without one, and one that was made anew takes no documents away until that is accepted")
    func lostStore() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            let frontend = try await site.startFrontend()
            await poll("the frontend follows") { try await site.get("/readyz").status == 200 }
            _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", "ES256")
            let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            let jwks = url + "openid/v1/jwks"
            // The standby key may come later on a busy machine, and with another agent.
            #expect(await poll("both keys") { try await site.get(jwks).body.matches(of: /"kid"/).count == 2 })
            let before = try await site.get(jwks)
            #expect(before.status == 200)

            #expect(await agent.end() == 0)
            try moveStore(site, from: "/store.db", to: "/lost.db")
            let missing = try await site.privyseald("serve")
            #expect(missing.status == 78 && missing.errors.contains("there is no store"), "\(missing.errors)")
            #expect(missing.errors.contains("hint: ") && missing.errors.contains("privyseald init"), "\(missing.errors)")
            #expect(!FileManager.default.fileExists(atPath: site.directory + "/store.db"))

            let refused = try await site.privyseald("init")
            #expect(refused.status == 1 && refused.errors.contains("keys of another deployment"), "\(refused.errors)")
            #expect(refused.errors.contains("recover --from-token") && refused.errors.contains("--share-token"))
            #expect(!FileManager.default.fileExists(atPath: site.directory + "/store.db"))
            let made = try await site.privyseald("init", "--share-token")
            #expect(made.status == 0 && made.output.hasPrefix("made the store \(site.directory)/store.db"), "\(made.errors)")
            let again = try await site.privyseald("init", "--share-token")
            #expect(again.status == 1 && again.errors.contains("is there already"), "\(again.errors)")

            let second = try await site.startAgent()
            #expect(await poll("its doubt") { try await site.get("/readyz").status == 503 })
            let reason = try await site.get("/readyz").body
            #expect(reason.contains("another deployment") && reason.contains("privyseal-issuer accept"), "\(reason)")
            _ = try await site.output("issuer", "create", "other", "--enable-oidc-issuer", "--algorithm", "ES256")
            #expect(try await site.get(jwks).body == before.body)
            try await frontend.restart(site)
            #expect(try await site.get(jwks).body == before.body)

            // The right store is back: nothing was lost, and nothing has to be said.
            #expect(await second.end() == 0)
            try moveStore(site, from: "/store.db", to: "/fresh.db")
            try moveStore(site, from: "/lost.db", to: "/store.db")
            let third = try await site.startAgent()
            #expect(await poll("the frontend is ready") { try await site.get("/readyz").status == 200 })
            let nothing = try await accept(site)
            #expect(nothing.status == 0 && nothing.output.contains("nothing has to be accepted"), "\(nothing.errors)")

            // The new one is meant.
            #expect(await third.end() == 0)
            try moveStore(site, from: "/store.db", to: "/lost.db")
            try moveStore(site, from: "/fresh.db", to: "/store.db")
            try await site.startAgent()
            #expect(await poll("its doubt") { try await site.get("/readyz").status == 503 })
            let plan = try await accept(site)
            #expect(plan.status == 1 && plan.output.contains("lost: \(url) of issuer demo"), "\(plan.output)\(plan.errors)")
            #expect(plan.output.contains("new: issuer other"), "\(plan.output)")
            #expect(try await site.get(jwks).body == before.body)
            #expect(try await accept(site, "--yes").status == 0)
            #expect(await poll("the new one's") { try await site.get(jwks).status == 404 })
            #expect(await poll("the frontend is ready") { try await site.get("/readyz").status == 200 })
        }
    }

    @Test("that is an older one of its own keeps what it does not know of on the air")
    func olderStore() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            try await site.startFrontend()
            _ = try await site.output("issuer", "create", "first", "--enable-oidc-issuer", "--algorithm", "ES256")
            let backup = site.directory + "/backup.db"
            #expect(try await site.privyseald("backup", "--to", backup).status == 0)
            _ = try await site.output("issuer", "create", "second", "--enable-oidc-issuer", "--algorithm", "ES256")
            let url = try await site.output("issuer", "show", "second", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            #expect(await poll("its documents") { try await site.get(url + "openid/v1/jwks").status == 200 })
            #expect(await agent.end() == 0)
            try moveStore(site, from: "/store.db", to: "/lost.db")
            try FileManager.default.copyItem(atPath: backup, toPath: site.directory + "/store.db")
            try await site.startAgent()
            #expect(
                await poll("its doubt") {
                    let answer = try await site.get("/readyz")
                    return answer.status == 503 && answer.body.contains("second")
                })
            #expect(try await site.get(url + "openid/v1/jwks").status == 200)
        }
    }

    private func accept(_ site: Installation, _ arguments: String...) async throws -> Programs.Outcome {
        try await Programs.run("privyseal-issuer", ["accept", "--config", site.issuerConfiguration] + arguments)
    }
}

extension Daemon {
    /// Ends the frontend in order and starts it again.
    fileprivate func restart(_ site: Installation) async throws {
        #expect(await end() == 0)
        try await site.startFrontend()
    }
}
