import AgentProtocol
import IssuerStore
import JOSE
public import KeyLifecycle

/// What an operator wants of a recovery.
public struct RecoveryRequest: Sendable {
    /// Kids that come back as retiring keys, at most one for each issuer.
    public var retained: [String]
    /// Where the documents of issuers that the store does not have were served.
    public var urls: [IssuerName: String]
    /// What the keys of issuers that the store does not have sign with, where the key type leaves a choice.
    public var algorithms: [IssuerName: SignatureAlgorithm]

    public init(
        retained: [String] = [], urls: [IssuerName: String] = [:], algorithms: [IssuerName: SignatureAlgorithm] = [:]
    ) {
        self.retained = retained
        self.urls = urls
        self.algorithms = algorithms
    }
}

/// Why an operator's decision cannot be carried out. Nothing has been changed.
public struct RecoveryRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong, in one line.
    public let message: String
    /// What to do, in one line.
    public let hint: String

    init(_ message: String, hint: String) {
        self.message = message
        self.hint = hint
    }

    public var description: String { message }
}

/// How a store and a token that no longer agree are brought together: shown first, executed as it stands.
///
/// For each issuer that differs: a fresh active key, at most one former key that an operator vouches for as the retiring
/// one, every other key in quarantine or, when the token has lost it, ended. Issuers without a difference go on as they are.
public struct RecoveryPlan: Sendable, Equatable {
    /// What becomes of one issuer.
    struct Part: Sendable, Equatable {
        let name: IssuerName
        /// The issuer in the store; `nil` when it is made anew from its keys.
        let issuer: Issuer?
        let retained: RetainedKey?
        let difference: KeyDifference
        /// Of an issuer made anew.
        let settings: IssuerSettings
        let url: String?
    }

    let token: TokenIdentity
    let isProven: Bool
    let copiedAt: Timestamp?
    let parts: [Part]
    /// Issuers that go on as they are.
    let unchanged: [IssuerName]
    let at: Timestamp

    /// Whether token and store agree about every key.
    public var isEmpty: Bool { parts.isEmpty }
}

extension RecoveryPlan {
    /// - Throws: `RecoveryRefusal` for a request that does not fit what token and store show.
    init(
        _ request: RecoveryRequest, _ state: ReconciliationPlan, issuers: [Issuer], at moment: Timestamp
    ) throws(RecoveryRefusal) {
        token = state.token
        isProven = state.isProven
        copiedAt = state.copiedAt
        at = moment
        let byName = Dictionary(uniqueKeysWithValues: issuers.map { ($0.name, $0) })
        let names = Set(byName.keys).union(state.unknown.filter { state.unknownPrivate.contains($0.keyID) }.map(\.issuer))
        let differing = names.filter { !state.difference(of: $0).isEmpty }.sorted()
        unchanged = names.subtracting(differing).sorted()
        try Self.check(request, rebuilt: Set(differing.filter { byName[$0] == nil }))
        let candidates = differing.flatMap { name in
            Self.candidates(name, byName[name], state.difference(of: name), request).map { (name: name, key: $0) }
        }
        var retained: [IssuerName: RetainedKey] = [:]
        for kid in request.retained {
            guard let candidate = candidates.first(where: { $0.key.kid == kid }) else {
                throw Self.notRetainable(kid, candidates.map(\.key.kid))
            }
            guard retained.updateValue(candidate.key, forKey: candidate.name) == nil else {
                throw RecoveryRefusal(
                    "two keys of issuer \(candidate.name) are to come back",
                    hint: "a ring has one retiring key at most: name the one that signed last")
            }
        }
        parts = differing.map { name in
            Part(
                name: name, issuer: byName[name], retained: retained[name], difference: state.difference(of: name),
                settings: byName[name]?.settings
                    ?? Self.settings(name, state.difference(of: name), retained[name], request),
                url: request.urls[name])
        }
    }

    private static func check(_ request: RecoveryRequest, rebuilt: Set<IssuerName>) throws(RecoveryRefusal) {
        for name in Set(request.urls.keys).union(request.algorithms.keys).sorted() where !rebuilt.contains(name) {
            throw RecoveryRefusal(
                "issuer \(name) is not made anew here, so nothing of it can be set",
                hint: rebuilt.isEmpty
                    ? "leave the option out" : "those made anew are \(rebuilt.sorted().map(\.text).joined(separator: ", "))")
        }
        for (name, url) in request.urls {
            let isPlain = url.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            guard isPlain, url.hasSuffix("/"), url.hasPrefix("https://") || url.hasPrefix("http://"),
                !url.contains("?"), !url.contains("#")
            else {
                throw RecoveryRefusal(
                    "\"\(url)\" is no issuer URL for \(name)",
                    hint: "give iss as it stands in the issuer's JWTs, with the slash at its end")
            }
        }
        guard Set(request.urls.values).count == request.urls.count else {
            throw RecoveryRefusal("two issuers are to have one URL", hint: "each issuer has a URL of its own")
        }
    }

    private static func notRetainable(_ kid: String, _ candidates: [String]) -> RecoveryRefusal {
        RecoveryRefusal(
            "the key \(kid) cannot come back: it is not a whole key pair on the token of an issuer that differs",
            hint: candidates.isEmpty
                ? "no key can come back; leave --retain out" : "those that can are \(candidates.joined(separator: ", "))")
    }

    /// The keys of an issuer that may come back: whole pairs on the token, unknown ones and those that the ring publishes.
    private static func candidates(
        _ name: IssuerName, _ issuer: Issuer?, _ difference: KeyDifference, _ request: RecoveryRequest
    ) -> [RetainedKey] {
        let known = (issuer?.ring.published ?? []).filter {
            $0.lostAt == nil && !difference.missing.contains($0.keyID)
        }.map { RetainedKey(keyID: $0.keyID, kid: $0.kid, algorithm: $0.algorithm, publicKey: $0.publicKey) }
        return known
            + difference.unknown.compactMap { key in
                // An ended key must not come back.
                guard let kid = key.kid, let publicKey = key.publicKey, issuer?.ring[kid] == nil,
                    let made = KeySpecification(
                        of: publicKey, saying: issuer?.settings.algorithm ?? request.algorithms[name])
                else { return nil }
                return RetainedKey(keyID: key.keyID, kid: kid, algorithm: made.algorithm, publicKey: publicKey)
            }
    }

    private static func settings(
        _ name: IssuerName, _ difference: KeyDifference, _ retained: RetainedKey?, _ request: RecoveryRequest
    ) -> IssuerSettings {
        let said = request.algorithms[name] ?? retained?.algorithm
        let shown = Set(
            difference.unknown.compactMap { $0.publicKey.flatMap { KeySpecification(of: $0, saying: said) } })
        let only = shown.count == 1 ? shown.first : nil
        var settings = IssuerSettings(algorithm: said ?? only?.algorithm ?? IssuerSettings().algorithm)
        // As long as before, if that tells; RSA keys of odd lengths are not made any more.
        if let bits = only?.rsaBits, IssuerSettings.rsaLengths.contains(bits) { settings.rsaBits = bits }
        return settings
    }
}

extension RecoveryPlan.Part {
    /// The change, once its fresh key has been generated.
    ///
    /// - Parameter former: the last generation of a deleted issuer of this name.
    func change(with key: GeneratedKey, former: Int, at moment: Timestamp) throws(LifecycleError) -> IssuerChange {
        guard let issuer else {
            return try Issuer.rebuilding(
                name, settings: settings, url: url, firstKey: key, retaining: retained, unknown: difference.unknown,
                former: former, at: moment)
        }
        return try issuer.recovering(with: key, retaining: retained, difference, at: moment)
    }
}

extension KeySpecification {
    /// What a public key, SubjectPublicKeyInfo in DER, was made for: what is said, if it is a key for that, else the first
    /// algorithm that it is a key for; `nil` when it is none for any.
    fileprivate init?(of publicKey: [UInt8], saying said: SignatureAlgorithm?) {
        guard let key = try? PublicKey(subjectPublicKeyInfo: publicKey) else { return nil }
        let candidates = [said].compactMap(\.self) + SignatureAlgorithm.allCases
        guard let algorithm = candidates.first(where: { $0.jws.keyType == key.keyType }) else { return nil }
        self.init(algorithm, rsaBits: key.rsaModulusBits)
    }
}

// MARK: - In words

extension RecoveryPlan {
    /// The plan for people, a line each.
    public var lines: [String] {
        var lines = ["token \(token)"]
        if let copiedAt { lines.append("the store is a copy made at \(WireTime(copiedAt))") }
        if !isProven, parts.contains(where: { $0.issuer != nil }) {
            lines.append("warning: the token shows none of the keys in the store; make sure that it is the right token")
        }
        if parts.isEmpty { lines.append("token and store agree about every key") }
        for part in parts { lines += part.lines(at: at) }
        if !unchanged.isEmpty {
            lines.append("unchanged: \(unchanged.map(\.text).joined(separator: ", "))")
        }
        return lines
    }
}

extension RecoveryPlan.Part {
    fileprivate func lines(at moment: Timestamp) -> [String] {
        var lines = ["issuer \(name)" + (issuer == nil ? ", made anew:" : ":")]
        lines.append("  a new \(settings.algorithm.rawValue) key becomes active")
        if let retained {
            let end = moment + max(settings.overlap, IssuerSettings.maximumLifetimeBound)
            lines.append("  \(retained.kid) (\(retained.algorithm.rawValue)) comes back as retiring until \(WireTime(end))")
        } else {
            lines.append("  no key comes back: every JWT issued so far stops verifying")
        }
        for key in issuer?.ring.published ?? [] where key.kid != retained?.kid {
            let isMissing = difference.missing.contains(key.keyID)
            lines.append(
                "  \(key.kid), \(key.state.rawValue) in the store, ends: "
                    + (isMissing ? "the token does not show it" : "put in quarantine"))
        }
        for key in difference.unknown where key.keyID != retained?.keyID {
            lines.append("  \(key.name), unknown to the store, is put in quarantine")
        }
        if issuer == nil {
            lines.append(
                url.map { "  served at \($0)" }
                    ?? "  its OIDC profile is disabled: give its URL with --issuer-url \(name)=URL to have it served again")
            lines.append("  its other settings are the defaults: change them with privyseal issuer update")
        } else if let issuer, issuer.ring.published.allSatisfy({ difference.missing.contains($0.keyID) }),
            difference.unknown.isEmpty
        {
            lines.append("  nothing of it is on the token: if it was deleted, delete it again with privyseal issuer delete")
        }
        return lines
    }
}
