import FaultyTokenSupport
import PKCS11
import Testing

/// Something that a program does with a token that holds an EC key pair of `CKA_ID` 01.
enum Use: String, CustomTestStringConvertible {
    case sign, signWithOldHandle, find, openReadOnly, openReadWrite, generate, generateAllowedOnly, destroy
    case token, freeMemory, slots, mechanisms, mechanism, readID, readSensitive, readPoint, readLongPoint

    var testDescription: String { rawValue }

    static let digest = [UInt8](repeating: 7, count: 32)

    /// What came of it: a word or number, or the function that failed and what it returned.
    func outcome(_ slot: Slot, _ session: borrowing Session, _ pair: KeyPair) -> String {
        do {
            return try result(slot, session, pair)
        } catch {
            return (error.function.map { $0 + ": " } ?? "") + error.code.name
        }
    }

    private func result(
        _ slot: Slot, _ session: borrowing Session, _ pair: KeyPair
    ) throws(PKCS11Error) -> String {
        switch self {
        case .sign:
            let key = try session.findKey(.privateKey, id: [1])
            return "\(try session.sign(Self.digest, with: .ecdsa, key: key).count) bytes"
        case .signWithOldHandle:
            return "\(try session.sign(Self.digest, with: .ecdsa, key: pair.privateKey).count) bytes"
        case .find:
            return "\(try session.findObjects([]).count) objects"
        case .openReadOnly:
            try slot.openSession(.readOnly).close()
        case .openReadWrite:
            try slot.openSession(.readWrite).close()
        case .generate:
            _ = try session.generateKeyPair(.ec(.p256), id: [2], label: "new")
        case .generateAllowedOnly:
            _ = try session.generateKeyPair(.ec(.p256), id: [2], label: "new", naming: .allowedOnly)
        case .destroy:
            try session.destroyObject(pair.privateKey)
        case .token:
            let info = try slot.tokenInfo()
            let flags: [(TokenInfo.Flags, String)] = [
                (.tokenInitialized, "initialised"), (.userPINInitialized, "with PIN"), (.userPINCountLow, "PIN count low"),
                (.writeProtected, "write-protected"), (.randomNumberGenerator, "random"),
            ]
            let limit = if case .limited(let number) = info.maximumSessions { "\(number) sessions" } else { "any sessions" }
            return ([info.label, limit] + flags.filter { info.flags.contains($0.0) }.map(\.1)).joined(separator: ", ")
        case .freeMemory:
            let info = try slot.tokenInfo()
            return "\(info.freePublicMemory.map { "\($0)" } ?? "unknown"), \(info.freePrivateMemory.map { "\($0)" } ?? "unknown")"
        case .slots:
            return "\(try slot.module.slots().count) of \(try slot.module.slots(withToken: false).count)"
        case .mechanisms:
            return try slot.mechanisms().contains(.ecdsa) ? "with ECDSA" : "without ECDSA"
        case .mechanism:
            _ = try slot.mechanismInfo(.ecdsa)
        case .readID:
            return try session.bytes(.id, of: pair.publicKey).map { "\($0)" } ?? "none"
        case .readSensitive:
            return try session.bool(.sensitive, of: pair.privateKey).map { "\($0)" } ?? "none"
        case .readPoint:
            return "\(try session.bytes(.ecPoint, of: pair.publicKey)?.count ?? 0) bytes"
        case .readLongPoint:
            let pair = try session.generateKeyPair(.ec(.p521), id: [3], label: "long")
            let point = try session.bytes(.ecPoint, of: pair.publicKey) ?? []
            return "\(point.prefix(3)), \(point.count) bytes"
        }
        return "done"
    }
}
