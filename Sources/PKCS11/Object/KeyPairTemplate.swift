/// The templates of a signing key pair.
struct KeyPairTemplate {
    let mechanism: MechanismType
    let publicKey: [Attribute]
    let privateKey: [Attribute]

    init(_ algorithm: KeyPairAlgorithm, id: [UInt8], label: String, usages: UsageFlags) {
        let parameters: [Attribute]
        switch algorithm {
        case .rsa(let modulusBits):
            mechanism = .rsaPKCSKeyPairGeneration
            parameters = [
                Attribute(.modulusBits, UInt(modulusBits)),
                Attribute(.publicExponent, bytes: [0x01, 0x00, 0x01]),
            ]
        case .ec(let curve):
            mechanism = .ecKeyPairGeneration
            parameters = [Attribute(.ecParameters, bytes: curve.parameters)]
        case .ed25519(let spelling):
            mechanism = .ecEdwardsKeyPairGeneration
            parameters = [Attribute(.ecParameters, bytes: spelling.parameters)]
        }
        func forbidden(_ types: [AttributeType]) -> [Attribute] {
            usages == .all ? types.map { Attribute($0, false) } : []
        }
        publicKey =
            [.token(true), Attribute(.private, false), .id(id), .label(label), Attribute(.verify, true)]
            + parameters + forbidden([.verifyRecover, .encrypt, .wrap, .derive])
        // CKA_EXTRACTABLE is custody and no usage: it is named always, because some tokens default it to true.
        privateKey =
            [
                .token(true), Attribute(.private, true), .id(id), .label(label), Attribute(.sensitive, true),
                Attribute(.extractable, false), Attribute(.sign, true),
            ] + forbidden([.decrypt, .unwrap, .signRecover, .derive])
    }
}
