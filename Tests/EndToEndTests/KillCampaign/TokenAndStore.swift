import Foundation
import PKCS11
import SoftHSMSupport

/// The `CKA_ID`s that token and store hold, in hexadecimal, each read without the agent.
struct TokenAndStore: Sendable {
    /// Private keys on the token.
    var privateKeys: Set<String> = []
    var publicKeys: Set<String> = []
    /// Private keys without `CKA_ID`: SoftHSM writes an object with default attributes first, and what a kill leaves of
    /// that has no key in it and is nobody's.
    var fragments = 0
    /// Private keys without `CKA_ID` that were made all the same.
    var namelessKeys = 0
    /// Keys of the rings that are published.
    var live: Set<String> = []
    /// Keys that the store knows to be on the token, perhaps, and not wanted: intents, tombstones, destructions to come.
    var intents: Set<String> = []
    var tombstones: Set<String> = []
    var destructions: Set<String> = []
    /// Issuers by their number of active keys.
    var activeKeys: [String: Int] = [:]

    /// A private key that nobody accounts for.
    var unaccounted: Set<String> {
        privateKeys.subtracting(live).subtracting(intents).subtracting(tombstones).subtracting(destructions)
    }
    /// A published key that is not on the token.
    var lost: Set<String> { live.subtracting(privateKeys) }

    /// Whether everything that was cut off has been finished.
    var isSettled: Bool {
        intents.isEmpty && destructions.isEmpty && privateKeys == live && publicKeys == live
    }

    /// - Parameter isRunning: whether the agent has the store open. When not, a copy is read, because opening the store
    ///   itself would clean up after the kill what the agent is to clean up.
    static func read(_ site: Installation, isRunning: Bool) async throws -> TokenAndStore {
        var result = TokenAndStore()
        try result.readToken(site.token)
        let store = StoreFiles(directory: site.directory)
        let rows = try await isRunning ? store.rows(query) : store.rowsOfCopy(query)
        for row in rows {
            guard row.count == 3 else { throw CampaignError("the store answers \(row)") }
            switch row[0] {
            case "live": result.live.insert(row[1])
            case "intent": result.intents.insert(row[1])
            case "tombstone": result.tombstones.insert(row[1])
            case "destruction": result.destructions.insert(row[1])
            default: result.activeKeys[row[1]] = Int(row[2])
            }
        }
        return result
    }

    /// The keys on a token alone.
    static func readKeys(_ token: SoftHSMToken) throws -> TokenAndStore {
        var result = TokenAndStore()
        try result.readToken(token)
        return result
    }

    private static let query = """
        SELECT 'live', lower(hex(key_id)), '' FROM signing_key WHERE state IN ('standby', 'active', 'retiring')
        UNION ALL SELECT iif(tombstone, 'tombstone', 'intent'), lower(hex(key_id)), '' FROM generation_intent
        UNION ALL SELECT 'destruction', lower(hex(key_id)), '' FROM destruction WHERE destroyed_at IS NULL AND lost_at IS NULL
        UNION ALL SELECT 'issuer', name,
          (SELECT count(*) FROM signing_key WHERE issuer = name AND state = 'active') FROM issuer
        """

    /// Beside a process that starts on it, SoftHSM shows a token as missing now and then: looked at again, a few times. After
    /// a kill it may stay missing; see `SoftHSMToken.mend()`.
    private mutating func readToken(_ token: SoftHSMToken) throws {
        for _ in 1..<5 {
            do {
                return try lookAtToken(token)
            } catch let error as PKCS11Error where error.code == .tokenNotFound {
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
        try token.mend()
        try lookAtToken(token)
    }

    private mutating func lookAtToken(_ token: SoftHSMToken) throws {
        let module = try token.module()
        defer { try? module.finalize() }
        let session = try token.session()
        for object in try Self.signingKeys(.privateKey, session) {
            let id = try session.bytes(.id, of: object) ?? []
            if !id.isEmpty {
                privateKeys.insert(Self.hexadecimal(id))
            } else if try session.bool(.local, of: object) == true {
                namelessKeys += 1
            } else {
                fragments += 1
            }
        }
        for object in try Self.signingKeys(.publicKey, session) {
            let id = try session.bytes(.id, of: object) ?? []
            if !id.isEmpty { publicKeys.insert(Self.hexadecimal(id)) }
        }
    }

    /// Halves of keys, without that of the audit log: it signs no JWT, and stays.
    static func signingKeys(_ half: ObjectClass, _ session: borrowing Session) throws -> [ObjectHandle] {
        var handles: [ObjectHandle] = []
        for object in try session.findObjects([.class(half)]) {
            let label = String(decoding: try session.bytes(.label, of: object) ?? [], as: UTF8.self)
            if !label.hasPrefix("privyseal-audit/") { handles.append(object) }
        }
        return handles
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// What keeps the campaign from going on; not a finding about the agent.
struct CampaignError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
