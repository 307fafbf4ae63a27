import JOSE
import JWTKit

/// A member of a key set, or why it is none for us. What it says is a stranger's, and quoted.
enum PublishedKey: Decodable {
    /// A key, and the algorithms that it can have signed with.
    case usable(kid: String, JWTKit.JWK, [JWSAlgorithm])
    case passedOver(kid: String?, why: String)

    private enum CodingKeys: String, CodingKey {
        case use, kid, kty, alg, crv, n, e
        case operations = "key_ops"
    }

    init(from decoder: any Decoder) throws {
        guard let members = try? decoder.container(keyedBy: CodingKeys.self) else {
            self = .passedOver(kid: nil, why: "it is no JSON object")
            return
        }
        let kid = try? members.decode(String.self, forKey: .kid)
        do throws(Unusable) {
            try Self.checkUse(members)
            let type = try Self.type(members)
            let algorithms = try Self.algorithms(members, of: type)
            if type == .rsa { try Self.checkNumbers(members) }
            guard let kid, let jwk = try? JWTKit.JWK(from: decoder) else { throw Unusable("its members cannot be read") }
            self = .usable(kid: kid, jwk, algorithms)
        } catch {
            self = .passedOver(kid: kid, why: error.why)
        }
    }

    private struct Unusable: Error {
        let why: String
        init(_ why: String) { self.why = why }
    }

    private typealias Members = KeyedDecodingContainer<CodingKeys>

    /// A member's text as it is shown: quoted, or that it is none.
    private static func quoted(_ members: Members, _ key: CodingKeys) -> String {
        (try? members.decode(String.self, forKey: key)).map { String(reflecting: String($0.prefix(40))) } ?? "which is no text"
    }

    /// RFC 7517 §4.2 and §4.3.
    private static func checkUse(_ members: Members) throws(Unusable) {
        if members.contains(.use), (try? members.decode(String.self, forKey: .use)) != "sig" {
            throw Unusable("its use is \(quoted(members, .use)), not signatures")
        }
        if members.contains(.operations), (try? members.decode([String].self, forKey: .operations))?.contains("verify") != true {
            throw Unusable("its key_ops do not hold \"verify\"")
        }
    }

    private static func type(_ members: Members) throws(Unusable) -> PublicKeyType {
        let curve = try? members.decode(String.self, forKey: .crv)
        switch (try? members.decode(String.self, forKey: .kty), curve) {
        case ("RSA", _): return .rsa
        case ("EC", _):
            guard let known = curve.flatMap({ Curve(rawValue: $0) }) else {
                throw Unusable("its curve, \(quoted(members, .crv)), is not known here")
            }
            return .ec(known)
        case ("OKP", "Ed25519"): return .ed25519
        case ("OKP", _): throw Unusable("its curve, \(quoted(members, .crv)), is none for signatures known here")
        default: throw Unusable("its type, \(quoted(members, .kty)), is not known here")
        }
    }

    /// The one it is published for, or without one all of its type. jwt-kit would take symmetric and weaker ones too, and does not
    /// look at the curve.
    private static func algorithms(_ members: Members, of type: PublicKeyType) throws(Unusable) -> [JWSAlgorithm] {
        guard members.contains(.alg) else { return JWSAlgorithm.allCases.filter { $0.keyType == type } }
        guard let alg = (try? members.decode(String.self, forKey: .alg)).flatMap({ JWSAlgorithm(rawValue: $0) }) else {
            throw Unusable("its algorithm, \(quoted(members, .alg)), is not known here")
        }
        guard alg.keyType == type else { throw Unusable("its algorithm is \(alg.rawValue), which is not for keys of \(type)") }
        return [alg]
    }

    /// jwt-kit takes short RSA keys (RFC 7518 §3.3).
    private static func checkNumbers(_ members: Members) throws(Unusable) {
        guard let n = try? members.decode(String.self, forKey: .n), let e = try? members.decode(String.self, forKey: .e),
            let modulus = try? Base64URL.decode(n), let exponent = try? Base64URL.decode(e)
        else { throw Unusable("its members n and e cannot be read") }
        do {
            _ = try PublicKey(rsaModulus: modulus, exponent: exponent)
        } catch {
            throw Unusable("its numbers are refused: \(error.message)")
        }
    }
}
