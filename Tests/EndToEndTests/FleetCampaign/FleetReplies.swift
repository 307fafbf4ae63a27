import AgentProtocol
import FleetHistory
import Foundation
import JOSE

/// What of an agent's replies goes into a history, read leniently: members that an agent does not send are absent.
struct AgentReply: Decodable {
    struct Plan: Decodable {
        struct Retiring: Decodable {
            let kid: String
            let expiresAt: WireTime
        }
        let retiring: Retiring?
        let revoked: [String]
    }
    struct Publication: Decodable { let outcome: String }
    struct Settling: Decodable {
        struct Agent: Decodable {
            let agent: String
            let outcome: String
        }
        let settled: Bool
        let agents: [Agent]
    }
    struct Status: Decodable {
        let name: String
        let generation: Int
        let activeKid: String
        let jwksUri: String?
    }

    /// Of `create` and `update`.
    let status: Status?
    private let plan: Plan?
    private let activeKid: String?
    private let generation: Int?
    private let publication: Publication?
    private let exposureSeconds: Int?
    private let settlement: Settling?
    private let revoked: [String]?
    private let warnings: [String]?

    private enum CodingKeys: String, CodingKey {
        case status = "issuer", plan, activeKid, generation, publication, exposureSeconds, settlement, revoked, warnings
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        // A name or a status.
        status = try? members.decode(Status.self, forKey: .status)
        plan = try members.decodeIfPresent(Plan.self, forKey: .plan)
        activeKid = try members.decodeIfPresent(String.self, forKey: .activeKid)
        generation = try members.decodeIfPresent(Int.self, forKey: .generation)
        publication = try members.decodeIfPresent(Publication.self, forKey: .publication)
        exposureSeconds = try members.decodeIfPresent(Int.self, forKey: .exposureSeconds)
        settlement = try members.decodeIfPresent(Settling.self, forKey: .settlement)
        revoked = try members.decodeIfPresent([String].self, forKey: .revoked)
        warnings = try members.decodeIfPresent([String].self, forKey: .warnings)
    }

    var reply: ChangeReply {
        ChangeReply(
            generation: generation ?? status?.generation, activeKid: activeKid ?? status?.activeKid,
            revoked: plan?.revoked ?? revoked ?? [], retiringKid: plan?.retiring?.kid,
            retiringUntil: plan?.retiring?.expiresAt.seconds, publication: publication?.outcome,
            exposureSeconds: exposureSeconds ?? 0,
            settlement: settlement.map { settling in
                Settlement(settled: settling.settled, agents: settling.agents.map { .init($0.agent, $0.outcome) })
            },
            warnings: warnings ?? [])
    }
}

extension Signature {
    private struct Claims: Decodable {
        let jti: String
        let exp: Int64
    }

    init(agent: String, issuer: String, _ result: SignResult) throws {
        let claims = try JSONDecoder().decode(Claims.self, from: Data(CompactJWS(parsing: Array(result.jwt.utf8)).payload))
        self.init(agent: agent, issuer: issuer, kid: result.kid, jti: claims.jti, expiresAt: claims.exp, jwt: result.jwt)
    }
}

extension Ring.Key {
    init(_ view: KeyView) throws {
        self.init(
            kid: view.kid, state: view.state, expiresAt: view.expiresAt?.seconds,
            jwk: String(decoding: view.publicJWK.encoded(), as: UTF8.self),
            isHeld: view.custody != nil)
    }
}
