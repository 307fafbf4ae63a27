import PKCS11

/// How a token has to hold a private key for the agent to use it.
///
/// A key that is not sensitive or is extractable is refused whatever the rules accept.
public struct CustodyRules: Hashable, Sendable {
    /// What a token need not report, by the name of the attribute. What it does report must still be right.
    public enum Unreported: String, CaseIterable, Decodable, Sendable {
        case alwaysSensitive = "CKA_ALWAYS_SENSITIVE"
        case neverExtractable = "CKA_NEVER_EXTRACTABLE"
        case local = "CKA_LOCAL"
        case decrypt = "CKA_DECRYPT"
        case unwrap = "CKA_UNWRAP"
        case derive = "CKA_DERIVE"
        case signRecover = "CKA_SIGN_RECOVER"
    }

    /// What a key may be able to do besides signing, by the name of the attribute.
    public enum Usage: String, CaseIterable, Decodable, Sendable {
        case decrypt = "CKA_DECRYPT"
        case unwrap = "CKA_UNWRAP"
        case derive = "CKA_DERIVE"
        case signRecover = "CKA_SIGN_RECOVER"
    }

    public var acceptedUnreported: Set<Unreported>
    public var acceptedUsages: Set<Usage>

    public init(acceptingUnreported unreported: Set<Unreported> = [], usages: Set<Usage> = []) {
        acceptedUnreported = unreported
        acceptedUsages = usages
    }

    /// Everything is reported and right.
    public static let strict = CustodyRules()

    /// What the rules accept beyond the strict ones, in one line; nil when that is nothing.
    public var relaxations: String? {
        let unreported = Unreported.allCases.filter(acceptedUnreported.contains).map(\.rawValue)
        let usages = Usage.allCases.filter(acceptedUsages.contains).map(\.rawValue)
        let parts = [
            unreported.isEmpty ? nil : "not reporting " + unreported.joined(separator: ", "),
            usages.isEmpty ? nil : "allowing " + usages.joined(separator: ", "),
        ]
        let text = parts.compactMap(\.self).joined(separator: "; ")
        return text.isEmpty ? nil : text
    }

    /// What is wrong with how a token holds a private key, by attribute; empty for a key that may be used.
    func refusals(_ attributes: CustodyAttributes) -> [String] {
        requirements(attributes).compactMap { requirement in
            guard requirement.value != requirement.wanted, !requirement.isAccepted else { return nil }
            return requirement.value.map { "\(requirement.name) is \($0)" } ?? "\(requirement.name) is not reported"
        }
    }

    private struct Requirement {
        let name: String
        let value: Bool?
        let wanted: Bool
        var isAccepted = false
    }

    private func requirements(_ attributes: CustodyAttributes) -> [Requirement] {
        let history: [(Unreported, Bool?)] = [
            (.alwaysSensitive, attributes.alwaysSensitive), (.neverExtractable, attributes.neverExtractable),
            (.local, attributes.local),
        ]
        let usages: [(Usage, Unreported, Bool?)] = [
            (.decrypt, .decrypt, attributes.decrypt), (.unwrap, .unwrap, attributes.unwrap),
            (.derive, .derive, attributes.derive), (.signRecover, .signRecover, attributes.signRecover),
        ]
        return [
            Requirement(name: "CKA_SENSITIVE", value: attributes.sensitive, wanted: true),
            Requirement(name: "CKA_EXTRACTABLE", value: attributes.extractable, wanted: false),
            Requirement(name: "CKA_SIGN", value: attributes.sign, wanted: true),
        ]
            + history.map { name, value in
                Requirement(
                    name: name.rawValue, value: value, wanted: true,
                    isAccepted: value == nil && acceptedUnreported.contains(name))
            }
            + usages.map { usage, unreported, value in
                Requirement(
                    name: usage.rawValue, value: value, wanted: false,
                    isAccepted: acceptedUsages.contains(usage) || (value == nil && acceptedUnreported.contains(unreported)))
            }
    }
}
