import Foundation
import JOSE

/// Verifies the JWTs of one issuer as a relying party does (RFC 7519 §7.2, OpenID Connect Core 1.0 §3.1.3.7).
///
/// The signature is checked by jwt-kit, so not by the code that made it.
public struct JWTVerifier: Sendable {
    private let keys: PublishedKeys
    private let expectedIssuer: String?
    private let expectedAudience: String?
    private let leeway: Double

    /// A verifier for the keys of a JWK set, which it prepares once.
    ///
    /// - Parameters:
    ///   - keySet: the bytes of the JSON Web Key Set.
    ///   - expectedIssuer: what `iss` must equal character by character; nil leaves it unchecked.
    ///   - expectedAudience: what `aud` must hold; nil leaves it unchecked.
    ///   - leeway: how many seconds the issuer's clock may be off from ours.
    /// - Throws: ``VerificationError/Code/keySetInvalid``.
    public init(
        keySet: [UInt8], expectedIssuer: String? = nil, expectedAudience: String? = nil, leeway: Double = 0
    ) async throws(VerificationError) {
        keys = try await PublishedKeys(keySet: keySet)
        self.expectedIssuer = expectedIssuer
        self.expectedAudience = expectedAudience
        self.leeway = leeway
    }

    /// Accepts a JWT in compact serialization, or says why not.
    ///
    /// Nothing of the claims is looked at before the signature holds, so a forged JWT fails as forged and not as expired.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: `malformed`, `unknownKid`, `algorithmMismatch`, `signatureInvalid`, `expired`, `notYetValid`,
    ///   `issuerMismatch` or `audienceMismatch` of ``VerificationError/Code``.
    public func verify(_ jwt: String, now: Double) throws(VerificationError) -> VerifiedJWT {
        let jws: CompactJWS
        do {
            jws = try CompactJWS(parsing: Array(jwt.utf8))
        } catch {
            throw VerificationError(
                .malformed, error.message,
                hint: "Give the whole JWT, header.payload.signature, with no white space around it.", cause: error)
        }
        let header = try Self.header(of: jws)
        try checkSignature(of: jws, header)
        let claims: Claims
        do {
            claims = try JSONDecoder().decode(Claims.self, from: Data(jws.payload))
        } catch {
            throw VerificationError(
                .malformed, "the JWT's claims are not those of an ID token: \(Self.reason(error))",
                hint: "The signature is genuine: the issuer signed something that is no ID token.")
        }
        try check(claims, now: now)
        return VerifiedJWT(header: header, claims: claims, payload: jws.payload)
    }

    private static func header(of jws: CompactJWS) throws(VerificationError) -> VerifiedJWT.Header {
        let members: HeaderMembers
        do {
            members = try JSONDecoder().decode(HeaderMembers.self, from: Data(jws.header))
        } catch {
            throw VerificationError(
                .malformed, "the JWT's header cannot be used: \(reason(error))",
                hint: "An issuer's JWT has the header members alg and kid, both strings.")
        }
        guard !members.isCritical else {
            throw VerificationError(
                .malformed, "the JWT's header demands extensions (crit) that are not understood here",
                hint: "RFC 7515 §4.1.11 forbids to accept it.")
        }
        return VerifiedJWT.Header(alg: members.alg, kid: members.kid)
    }

    private func checkSignature(of jws: CompactJWS, _ header: VerifiedJWT.Header) throws(VerificationError) {
        guard let key = keys[header.kid] else { throw unknown(header.kid) }
        guard key.names.contains(header.alg) else {
            throw VerificationError(
                .algorithmMismatch,
                "the JWT says \(Self.quoted(header.alg)), its key \(key.isDeclared ? "is published for" : "serves") \(key.names.joined(separator: " and "))",
                hint:
                    "Do not accept it: \(key.isDeclared ? "the issuer never signs so" : "with such a key no other algorithm is verified here")."
            )
        }
        guard key.isValid(signature: jws.signature, signingInput: jws.signingInput, by: header.alg) else {
            throw VerificationError(
                .signatureInvalid, "the signature is not that of key \(Self.quoted(header.kid))",
                hint: "Do not accept it: the JWT was altered, cut short, or not signed by this issuer.")
        }
    }

    private func unknown(_ kid: String) -> VerificationError {
        if let reason = keys.reason(passingOver: kid) {
            return VerificationError(
                .unknownKid, "the published key with the JWT's kid \(Self.quoted(kid)) cannot be used: \(reason)",
                hint: "Whoever runs the issuer has to sign with a key that relying parties can use.")
        }
        return VerificationError(
            .unknownKid, "no published key has the JWT's kid \(Self.quoted(kid))",
            hint: keys.isEmpty
                ? "The key set holds no key that can be used: check that it is the issuer's jwks_uri."
                : "Fetch the key set again; if the kid stays away, its key was rotated out or revoked, or another issuer signed.")
    }

    private func check(_ claims: Claims, now: Double) throws(VerificationError) {
        // Bytes are compared: Swift calls different spellings of a character equal (RFC 8259 §8.3).
        if let expectedIssuer, claims.issuer?.utf8.elementsEqual(expectedIssuer.utf8) != true {
            throw VerificationError(
                .issuerMismatch,
                "the JWT's iss is \(Self.quoted(claims.issuer)), expected \(Self.quoted(expectedIssuer))",
                hint:
                    "Both must be equal, a trailing slash included; enabling or disabling an OIDC profile changes iss.")
        }
        if let expectedAudience, !claims.audience.contains(where: { $0.utf8.elementsEqual(expectedAudience.utf8) }) {
            let audience = claims.audience.map { Self.quoted($0) }.joined(separator: ", ")
            throw VerificationError(
                .audienceMismatch, "the JWT's aud is [\(audience)], expected \(Self.quoted(expectedAudience))",
                hint: "Ask for a JWT with this audience.")
        }
        // RFC 7519 §4.1.4: on or after exp it must not be accepted.
        guard now < claims.expiresAt + leeway else {
            throw VerificationError(
                .expired, "the JWT expired \(Self.seconds(now - claims.expiresAt)) ago",
                hint: "Ask for a new one; if it is new, compare the clocks.")
        }
        if let notBefore = claims.notBefore, now < notBefore - leeway {
            throw VerificationError(
                .notYetValid, "the JWT is valid only in \(Self.seconds(notBefore - now))",
                hint: "Compare the clocks of the issuer and of this machine.")
        }
    }

    /// What a stranger wrote, with its control characters escaped: it is printed on a terminal, in one line.
    private static func quoted(_ text: String?) -> String {
        text.map { String(reflecting: $0) } ?? "absent"
    }

    private static func seconds(_ value: Double) -> String {
        Int64(exactly: value.rounded()).map { "\($0) s" } ?? "\(value) s"
    }

    /// What the decoder missed, without the values it saw.
    private static func reason(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, _): "\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            context.codingPath.last.map { "\($0.stringValue) has the wrong type" } ?? "it is not a JSON object"
        default: "it is not a JSON object"
        }
    }
}

private struct HeaderMembers: Decodable {
    let alg: String
    let kid: String
    let isCritical: Bool

    private enum CodingKeys: String, CodingKey {
        case alg, kid, crit
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        alg = try members.decode(String.self, forKey: .alg)
        kid = try members.decode(String.self, forKey: .kid)
        isCritical = members.contains(.crit)
    }
}
