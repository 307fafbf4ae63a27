import EtcdStore
import EtcdSupport
import Foundation
import IssuerStore
import IssuerStoreSupport
import KeyLifecycle
import TestSupport
import Testing

/// Which implementation the contract is tested on.
enum Implementation: String, CaseIterable, CustomTestStringConvertible {
    case sqlite = "SQLite"
    case inMemory = "in memory"
    case sharedInMemory = "in memory, shared"
    case etcd = "etcd"

    static let allCases: [Implementation] = {
        guard !EtcdServer.isInstalled else { return [.sqlite, .inMemory, .sharedInMemory, .etcd] }
        print("note: etcd-server is not installed; what a store in etcd promises is left out")
        return [.sqlite, .inMemory, .sharedInMemory]
    }()

    var testDescription: String { rawValue }

    /// Runs `body` with a new store, which is gone afterwards.
    func withStore(_ body: (any IssuerStorage) async throws -> Void) async throws {
        switch self {
        case .inMemory:
            try await body(InMemoryIssuerStore(deployment: .fixture))
        case .sharedInMemory:
            let store = InMemorySharedStore(deployment: .fixture, clock: { 0 })
            try await body(store.handle(agent: "a", incarnation: "1", clock: { 0 }))
        case .sqlite:
            try await withTemporaryDirectory { directory in
                try await body(SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture))
            }
        case .etcd:
            let server = try await EtcdServer.shared()
            try await withTemporaryDirectory { directory in
                try await EtcdGateway.with([server.endpoint]) { gateway in
                    let prefix = EtcdGateway.prefix()
                    try await EtcdIssuerStore.make(gateway, prefix: prefix, minted: .fixture)
                    let user = EtcdIssuerStore.User(agent: "a", incarnation: "1", memory: "\(directory)/memory")
                    try await body(EtcdIssuerStore.open(gateway, prefix: prefix, user: user))
                }
            }
        }
    }
}

extension Deployment {
    static let fixture = Deployment(
        id: "00112233445566778899aabbccddeeff", tenant: "8f0c2f0e-6d0f-4f55-9f0a-3d3f2f6f7c11")
}

extension IssuerName {
    static let demo = IssuerName("demo")!
    static let other = IssuerName("other")!
}

extension Timestamp {
    /// Seconds after the moment at which the tests begin.
    static func at(_ seconds: Int) -> Timestamp {
        Timestamp(seconds: 1_800_000_000 + Int64(seconds))
    }
}

extension KeyID {
    static func number(_ number: UInt8) -> KeyID {
        KeyID([UInt8](repeating: number, count: KeyID.length))!
    }
}

extension GeneratedKey {
    static func number(_ number: UInt8, _ algorithm: SignatureAlgorithm = .rs256) -> GeneratedKey {
        GeneratedKey(
            keyID: .number(number), kid: "kid-\(number)", specification: KeySpecification(algorithm, rsaBits: 2_048),
            publicKey: [0x30, number, 0x00, 0xFF])
    }
}

extension GenerationIntent {
    static func number(
        _ number: UInt8, for issuer: IssuerName = .demo, _ algorithm: SignatureAlgorithm = .rs256, at moment: Timestamp = .at(0)
    ) -> GenerationIntent {
        GenerationIntent(keyID: .number(number), issuer: issuer, algorithm: algorithm, recordedAt: moment)
    }

    /// Without the start of an agent that recorded it, which a store that several share adds.
    var ofNobody: GenerationIntent {
        GenerationIntent(
            keyID: keyID, issuer: issuer, algorithm: algorithm, recordedAt: recordedAt, isTombstone: isTombstone)
    }

    var buried: GenerationIntent {
        GenerationIntent(keyID: keyID, issuer: issuer, algorithm: algorithm, recordedAt: recordedAt, isTombstone: true)
    }
}

/// `StoreContents` as a value to compare.
struct Snapshot: Equatable {
    let issuers: [Issuer]
    let intents: [GenerationIntent]
    let destructions: [PendingDestruction]
    let lastChange: Timestamp?
    let refusedPIN: RefusedPIN?
    var quarantined: [QuarantinedKey] = []
    var formerGenerations: [IssuerName: Int] = [:]
    var token: TokenIdentity?
    var copiedAt: Timestamp?
}

extension IssuerStorage {
    func snapshot() async throws -> Snapshot {
        let contents = try await contents()
        return try await Snapshot(
            issuers: contents.issuers, intents: contents.intents.map(\.ofNobody), destructions: contents.destructions,
            lastChange: contents.lastChange, refusedPIN: refusedPIN(), quarantined: contents.quarantined,
            formerGenerations: contents.formerGenerations, token: contents.token, copiedAt: contents.copiedAt)
    }

    func issuer(_ name: IssuerName = .demo) async throws -> Issuer? {
        try await contents().issuers.first { $0.name == name }
    }

    /// Records an intent and commits an issuer whose first key it is for.
    @discardableResult
    func create(
        _ name: IssuerName = .demo, key: UInt8 = 1, settings: IssuerSettings = IssuerSettings(), url: String? = nil,
        former: Int = 0, at moment: Timestamp = .at(0)
    ) async throws -> Issuer {
        try await record(.number(key, for: name, settings.algorithm, at: moment))
        let change = try Issuer.creating(
            name, settings: settings, url: url, firstKey: .number(key, settings.algorithm), former: former, at: moment)
        try await commit(change, fulfilling: [.number(key)])
        return change.issuer!
    }

    /// Commits the change and returns the issuer it leads to.
    @discardableResult
    func apply(_ change: IssuerChange?, fulfilling keys: UInt8...) async throws -> Issuer {
        try await commit(change!, fulfilling: keys.map(KeyID.number))
        return change!.issuer!
    }

    /// Publishes a standby key as the agent does it, intent first.
    @discardableResult
    func publishStandby(_ issuer: Issuer, key: UInt8, at moment: Timestamp) async throws -> Issuer {
        let algorithm = issuer.settings.algorithm
        try await record(.number(key, for: issuer.name, algorithm, at: moment))
        return try await apply(issuer.publishingStandby(.number(key, algorithm), at: moment), fulfilling: key)
    }
}
