import IssuerStore
import KeyLifecycle

@testable import EtcdStore

extension Deployment {
    static let fixture = Deployment(id: "00112233445566778899aabbccddeeff", tenant: "8f0c2f0e-6d0f-4f55-9f0a-3d3f2f6f7c11")
}

extension IssuerName {
    static let demo = IssuerName("demo")!
    static let other = IssuerName("other")!
}

extension Timestamp {
    static func at(_ seconds: Int) -> Timestamp { Timestamp(seconds: 1_800_000_000 + Int64(seconds)) }
}

extension KeyID {
    static func number(_ number: UInt8) -> KeyID { KeyID([UInt8](repeating: number, count: KeyID.length))! }
}

extension GeneratedKey {
    static func number(_ number: UInt8) -> GeneratedKey {
        GeneratedKey(
            keyID: .number(number), kid: "kid-\(number)", specification: KeySpecification(.rs256, rsaBits: 2_048),
            publicKey: [0x30, number, 0x00, 0xFF])
    }
}

extension GenerationIntent {
    static func number(_ number: UInt8, for issuer: IssuerName = .demo) -> GenerationIntent {
        GenerationIntent(keyID: .number(number), issuer: issuer, algorithm: .rs256, recordedAt: .at(0))
    }
}

extension IssuerStorage {
    @discardableResult
    func create(_ name: IssuerName = .demo, key: UInt8 = 1, url: String? = nil) async throws -> Issuer {
        try await record(.number(key, for: name))
        let change = try Issuer.creating(name, settings: IssuerSettings(), url: url, firstKey: .number(key), at: .at(0))
        try await commit(change, fulfilling: [.number(key)])
        return change.issuer!
    }

    /// Publishes a standby key whose intent is recorded.
    func publish(_ issuer: Issuer, _ key: UInt8) async throws -> Issuer {
        let change = try issuer.publishingStandby(.number(key), at: .at(1))
        try await commit(change, fulfilling: [.number(key)])
        return change.issuer!
    }

    func apply(_ change: IssuerChange) async throws -> Issuer {
        try await commit(change, fulfilling: [])
        return change.issuer!
    }
}

extension Issuer {
    /// Gives JWTs another lifetime, in seconds.
    func living(for seconds: Int) throws -> IssuerChange {
        var settings = settings
        settings.lifetime = seconds
        let update = IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false)
        return try updating(update, at: .at(1))!
    }
}
