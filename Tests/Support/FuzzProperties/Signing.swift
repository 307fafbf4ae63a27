import Agent
import AgentProtocol
import Foundation
import JOSE
import KeyLifecycle

extension FuzzTarget {
    /// The `params` of a `sign` request, from the line to the bytes that a key would sign.
    static let sign = FuzzTarget("sign", "claims, what policy says to them, and what is signed", longestInput: 4_096) {
        text throws(Violation) in
        guard let params = try? JSONSlice(validating: text) else { return }
        let plain = try require(PlainJSON.read(text), "what is no JSON was taken")
        let request: SignRequest
        do throws(ProtocolError) {
            request = try SignRequest.decode(params)
        } catch {
            let reasons: [Reason] = [.invalidParams, .claimsInvalid]
            try require(reasons.contains(error.reason), "\(error.reason) is no refusal of claims")
            try Self.checkSilence(error, plain)
            return try checkLine(ReplyLine.failure(id: nil, error), nil, error)
        }
        try Self.checkAccess(request, plain)
        for policy in SigningSample.policies {
            let grant: ClaimsGrant
            do throws(LifecycleError) {
                grant = try policy.grant(ClaimsFacts(request), at: SigningSample.now)
            } catch {
                try Self.checkSilence(ProtocolError(.claimsInvalid, error.message, hint: error.hint), plain)
                continue
            }
            let payload = request.payload(grant, policy.issuerURL, tokenID: request.tokenID())
            try Self.check(payload, of: request, plain, policy, grant)
            try Self.checkJWT(payload, grant)
        }
    }

    /// What access rules see is what is in the claims.
    private static func checkAccess(_ request: SignRequest, _ params: PlainJSON) throws(Violation) {
        let facts = SignatureFacts(request.claims)
        let claims =
            if request.isPayload {
                params["payload"]?.text.flatMap(decodedBase64URL).flatMap(PlainJSON.read)
            } else {
                params["claims"]
            }
        try require(facts.subject.map { Array($0.utf8) } == claims?["sub"]?.text, "an access rule sees another sub")
        let audience =
            if case .array(let elements) = claims?["aud"] { elements.compactMap(\.text) } else {
                [claims?["aud"]?.text].compactMap(\.self)
            }
        try require(facts.audience.map { Array($0.utf8) } == audience, "an access rule sees another aud")
        let registered = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"].map { Array($0.utf8) }
        let others = (claims?.members ?? []).map(\.name).filter { !registered.contains($0) }
        try require(facts.otherClaims().map { Array($0.utf8) } == others, "an access rule sees other claims")

        let rule = SigningSample.rule
        let subjectIsAllowed = claims?["sub"]?.text.map { $0.starts(with: "system:".utf8) } ?? false
        let isAllowed =
            subjectIsAllowed && audience.allSatisfy { ["api", "Keys"].map { Array($0.utf8) }.contains($0) }
            && others.allSatisfy { $0 == Array("Kids".utf8) }
        do throws(ProtocolError) {
            try rule.check(facts)
        } catch {
            try require(!isAllowed, "an access rule refuses what it names: \(error.message)")
            let isImitation = error.reason == .claimsInvalid && others.contains { Self.caseless($0) == "kids" }
            try require(error.reason == .permissionDenied || isImitation, "\(error.reason) is no denial")
            return try checkLine(ReplyLine.failure(id: nil, error), nil, error)
        }
        try require(isAllowed, "an access rule lets pass what it does not name")
    }

    /// What a relying party reads is what the caller wrote and the policy granted, whatever parser it has.
    private static func check(
        _ payload: [UInt8], of request: SignRequest, _ params: PlainJSON, _ policy: ClaimsPolicy, _ grant: ClaimsGrant
    ) throws(Violation) {
        let signed = try require(PlainJSON.read(payload), "what would be signed is no JSON")
        let members = try require(signed.members, "what would be signed is no object")
        try require(signed.hasUniqueNames, "what would be signed has a name twice")
        guard let foundation = try? JSONSerialization.jsonObject(with: Data(payload)) as? [String: Any] else {
            throw Violation("Foundation does not read what would be signed")
        }
        try require(foundation["iss"] as? String == policy.issuerURL, "Foundation reads another iss")
        try require((foundation["exp"] as? NSNumber)?.int64Value == grant.expiresAt, "Foundation reads another exp")

        let given: PlainJSON
        if request.isPayload {
            let bytes = params["payload"]?.text.flatMap(decodedBase64URL)
            try require(bytes == payload, "a payload is not signed byte for byte")
            given = signed
        } else {
            given = try require(params["claims"], "claims were made up")
        }
        let filled = ["iss", "iat", "nbf", "exp", "jti"].map { Array($0.utf8) }
        let names = Set((given.members ?? []).map(\.name))
        try require(
            members.filter { names.contains($0.name) } == given.members ?? [], "other claims than those given were signed")
        try require(
            members.allSatisfy { names.contains($0.name) || filled.contains($0.name) }, "a claim was signed that nobody gave")

        try require(signed["iss"]?.text == Array(policy.issuerURL.utf8), "iss is not the issuer's, byte for byte")
        try require(signed["iat"]?.integer == grant.issuedAt, "iat is not as judged")
        try require(signed["exp"]?.integer == grant.expiresAt, "exp is not as judged")
        if let notBefore = signed["nbf"] { try require(notBefore.integer == grant.notBefore, "nbf is not as judged") }
        if !request.isPayload {
            try require(signed["nbf"] != nil && signed["jti"]?.text != nil, "nbf or jti was not filled in")
        }
        let now = SigningSample.now.seconds
        try require((now - 60...now + 60).contains(grant.issuedAt), "iat is too far from now")
        try require((now + 1...now + Int64(policy.maximumLifetime)).contains(grant.expiresAt), "exp is out of bounds")
        try checkAudience(signed["aud"])
        try checkCase(signed, payload)
    }

    /// Go's encoding/json gives a member of a struct the last one whose name is equal but for the case of letters.
    private static func checkCase(_ signed: PlainJSON, _ payload: [UInt8]) throws(Violation) {
        for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"] {
            let last = signed.members?.last { caseless($0.name) == name }
            try require(last?.value == signed[name], "Go reads another \(name)")
        }
        try require(!payload.contains(0x7F) || signed["sub"]?.text?.contains(0x7F) != true, "a sub has a control character")
    }

    /// By Foundation.
    private static func caseless(_ name: [UInt8]) -> String {
        String(decoding: name, as: UTF8.self).folding(options: .caseInsensitive, locale: nil)
    }

    private static func checkAudience(_ audience: PlainJSON?) throws(Violation) {
        switch audience {
        case .string(let text): try require(!text.isEmpty, "an empty aud was signed")
        case .array(let elements):
            try require(
                !elements.isEmpty && elements.allSatisfy { $0.text?.isEmpty == false }, "an aud without a name was signed")
        default: throw Violation("claims without aud were signed")
        }
    }

    /// The JWT and the reply that are made of it carry it unchanged.
    private static func checkJWT(_ payload: [UInt8], _ grant: ClaimsGrant) throws(Violation) {
        let signingInput = CompactJWS.signingInput(SigningSample.header, payload: payload)
        let signature = Base64URL.encode([1, 2, 3])
        let jwt = signingInput + [UInt8(ascii: ".")] + signature
        guard let jws = try? CompactJWS(parsing: jwt) else { throw Violation("the JWT cannot be taken apart") }
        try require(jws.payload == payload && jws.signature == [1, 2, 3], "the JWT carries something else")
        let line = ReplyLine.sign(
            id: RequestID(1), signingInput: signingInput, signature: signature, kid: "k", algorithm: "ES256",
            expiration: grant.expiresAt)
        guard case .result(_, let slice) = try? AgentLine.decode(Array(line.dropLast())),
            let result = try? JSONValue(parsing: slice).decode(SignResult.self)
        else { throw Violation("the reply cannot be read") }
        try require(Array(result.jwt.utf8) == jwt, "the reply carries another JWT")
        try require(result.expiresAt.seconds == grant.expiresAt, "the reply names another expiry")
    }

    /// An error names members, and shows none of their values: it ends up in logs.
    private static func checkSilence(_ error: ProtocolError, _ params: PlainJSON) throws(Violation) {
        let claims = params["payload"]?.text.flatMap(decodedBase64URL).flatMap(PlainJSON.read) ?? params["claims"]
        let names = Set((params.names + (claims?.names ?? [])).map { String(decoding: $0, as: UTF8.self) })
        let said = error.message + (error.hint ?? "")
        for value in params.strings + (claims?.strings ?? []) where value.count >= 12 {
            let text = String(decoding: value, as: UTF8.self)
            guard !SigningSample.ownWords.contains(where: { $0.contains(text) }), !names.contains(where: { $0.contains(text) })
            else { continue }
            try require(!said.contains(text), "the error shows a value: \(said)")
        }
    }

    /// By Foundation, whose reader is another.
    private static func decodedBase64URL(_ text: [UInt8]) -> [UInt8]? {
        var text = String(decoding: text, as: UTF8.self).replacing("-", with: "+").replacing("_", with: "/")
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text).map { Array($0) }
    }
}

/// The issuers and the moment of the ``FuzzTarget/sign`` target.
private enum SigningSample {
    static let now = Timestamp(seconds: 1_800_000_000)
    static let header = ProtectedHeader(algorithm: .es256, kid: "k")

    /// Under the second URL there are characters that Swift calls equal to others; relying parties do not.
    static let policies = [
        policy(.enabled(url: "https://oidc.example.com/t/u/"), maximumLifetime: 86_400),
        policy(.enabled(url: "https://Keys.example.com/a;b`c/"), maximumLifetime: 3_600),
        policy(.disabled, maximumLifetime: 600),
    ]

    static let rule: AccessRule = {
        var rule = AccessRule(name: "a rule", user: 1, methods: [.sign])
        rule.subjects = [Glob("system:*")].compactMap(\.self)
        rule.audiences = [Glob("api"), Glob("Keys")].compactMap(\.self)
        rule.claims = ["Kids"]
        return rule
    }()

    /// What messages may say although a claim has the same value.
    static let ownWords = policies.map(\.issuerURL)

    private static func policy(_ profile: OIDCProfile, maximumLifetime: Int) -> ClaimsPolicy {
        guard let name = IssuerName("demo") else { preconditionFailure("demo is an issuer name") }
        let settings = IssuerSettings(lifetime: 600, maximumLifetime: maximumLifetime)
        return ClaimsPolicy(
            Issuer(
                name: name, generation: 1, createdAt: now, changedAt: now, settings: settings, profile: profile,
                acceptedIssuers: [], ring: KeyRing(keys: []), lastRotationAt: nil, maxAgeHorizon: nil))
    }
}
