import AgentProtocol
import Foundation
import RelyingParty

/// The agent's own issuers as the ones to trust, for a JWT that comes with no word on whose keys to use.
///
/// The JWT's `iss` only chooses among them. It never says where to fetch keys: a forger would name a place of their own.
struct OwnIssuers {
    let agent: any AgentSession

    /// Verifies against the keys of each issuer that has the JWT's `iss`; issuers without a profile may share theirs.
    ///
    /// - Parameter judge: verifies against a key set and an expected issuer.
    func verify(
        _ jwt: String, _ judge: (_ keySet: [UInt8], _ issuer: String) async throws -> VerifiedJWT
    ) async throws -> VerifiedJWT {
        guard let iss = Self.unverifiedIssuer(of: jwt) else {
            throw Failure(
                .verificationFailed, "this is no JWT with an iss claim",
                hint: "give the whole JWT, header.payload.signature")
        }
        var unknownKid: VerificationError?
        for name in try await names(accepting: iss) {
            let documents = try await agent.call(GetDiscoveryParameters(issuer: name)).decoded()
            do {
                return try await judge(Array(documents.jwks.body.utf8), iss)
            } catch let error as VerificationError where error.code == .unknownKid {
                unknownKid = error
            }
        }
        throw unknownKid.map { Failure($0) }
            ?? Failure(
                .verificationFailed, "no issuer of this agent has the JWT's iss, now or in its accepted past",
                hint: "for another issuer's JWT name the one you trust: --issuer-url URL or --jwks FILE")
    }

    private func names(accepting iss: String) async throws -> [String] {
        let list = try await agent.callPages(list: "issuers") { IssuerListParameters(cursor: $0) }
        return (list["issuers"]?.elements ?? []).filter { issuer in
            issuer["issuer"]?.string == iss
                || (issuer["acceptedIssuers"]?.elements ?? []).contains { $0["issuerUrl"]?.string == iss }
        }.compactMap { $0["name"]?.string }
    }

    /// `iss` as the JWT claims it; nothing may be believed because of it.
    static func unverifiedIssuer(of jwt: String) -> String? {
        let parts = jwt.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        var base64 = parts[1].replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        guard let payload = Data(base64Encoded: base64), let claims = try? JSONValue(parsing: [UInt8](payload)) else {
            return nil
        }
        return claims["iss"]?.string
    }
}
