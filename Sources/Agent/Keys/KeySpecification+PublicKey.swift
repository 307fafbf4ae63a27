import JOSE
import KeyLifecycle

extension KeySpecification {
    /// What a public key, SubjectPublicKeyInfo in DER, was made for: what is said, if it is a key for that, else the first
    /// algorithm that it is a key for; `nil` when it is none for any.
    init?(of publicKey: [UInt8], saying said: SignatureAlgorithm?) {
        guard let key = try? PublicKey(subjectPublicKeyInfo: publicKey) else { return nil }
        let candidates = [said].compactMap(\.self) + SignatureAlgorithm.allCases
        guard let algorithm = candidates.first(where: { $0.jws.keyType == key.keyType }) else { return nil }
        self.init(algorithm, rsaBits: key.rsaModulusBits)
    }
}
