public import KeyLifecycle

/// Seals records of a store that others can write to, by what none of them has: a session with the token.
///
/// - Throws: from every call, when the token cannot be asked just now.
public protocol RecordSealing: Sendable {
    /// Sees to it that there is a key to seal with.
    ///
    /// - Returns: whether it was made just now, so that nothing can have been sealed before.
    func prepare() async throws -> Bool

    /// A seal for each of these, in their order, at most 160 bytes of ASCII without quotes. Makes the key where there is none.
    func seals(for statements: [[UInt8]]) async throws -> [String]

    /// What is to be thought of each of these, in their order.
    func judge(_ records: [SealedStatement]) async throws -> [SealVerdict]
}

/// What a record says, and the seal that it carries.
public struct SealedStatement: Hashable, Sendable {
    public var statement: [UInt8]
    /// Empty in a record that carries none.
    public var seal: String

    public init(statement: [UInt8], seal: String) {
        self.statement = statement
        self.seal = seal
    }
}

public enum SealVerdict: Hashable, Sendable {
    /// Made over this very statement by a process with a session.
    case genuine
    /// There is no seal, and none can have been made: the token shows no key for it.
    case unsealed
    /// Made over another statement, or absent although there is a key.
    case wrong
    /// Made with a key that the token does not show, or not held as it has to be.
    case unknownKey
}

/// A store whose records are sealed once it has been told by what.
public protocol SealedStorage: Sendable {
    /// Has everything that is written from now on be sealed.
    ///
    /// - Parameter isJudging: whether a record with a wrong seal is not to be believed. An operator's command that decides about
    ///   records that may be anybody's takes them as they stand; what it has settled is sealed then.
    func use(_ sealing: any RecordSealing, isJudging: Bool)

    /// Sees to it that what lies in the store is sealed.
    ///
    /// Where records are judged, that is done once in the life of a key: what was there before it is taken as it stands, what comes
    /// without a seal later is somebody else's. Where they are not, every record that carries no genuine seal gets one.
    func sealAll() async throws

    /// Issuers whose records carry no genuine seal.
    func issuersWithoutSeal() async throws -> [IssuerName]
}
