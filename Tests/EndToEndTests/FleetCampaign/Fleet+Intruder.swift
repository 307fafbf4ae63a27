import Crypto
import EtcdStore
import FleetHistory
import FleetSupport
import Foundation
import JOSE
import Platform
import TestSupport

/// Somebody who can write to etcd, and has no session with the token.
struct Intruder: Sendable {
    enum Forgery: Sendable, Equatable {
        /// A key that is not on the token takes the place of the standby key, or of the active one where there is none.
        case foreignKey
        /// A record as it was before the last change.
        case oldRecord
        /// The record of another issuer.
        case swappedRecord
    }

    /// What it wrote and over what, so that an operator who has found out can put it right.
    private struct Forged: Sendable {
        let key: String
        let value: [UInt8]
        let genuine: [UInt8]
    }

    let fleet: Fleet
    let history: History

    /// Writes straight into etcd.
    ///
    /// - Returns: what puts back what was there, unless it has been written over meanwhile; `nil` where nothing could be forged.
    func forge(_ forgery: Forgery, of issuer: String, beside other: String) async throws -> (@Sendable () async throws -> Void)? {
        guard let forged = try await write(forgery, of: issuer, beside: other) else { return nil }
        return { [fleet] in
            for _ in 0..<20 {
                if let isBack = try? await fleet.put(forged.genuine, at: forged.key, over: forged.value) {
                    guard !isBack else { return }
                    throw CampaignError("somebody has changed the forged record of \(issuer)")
                }
                try? await Task.sleep(for: .milliseconds(500))
            }
            throw CampaignError("the record of \(issuer) cannot be put right")
        }
    }

    private func write(_ forgery: Forgery, of issuer: String, beside other: String) async throws -> Forged? {
        guard let earlier = try await fleet.record(of: issuer), let others = try await fleet.record(of: other) else { return nil }
        for _ in 0..<40 {
            guard let present = try await fleet.record(of: issuer) else { return nil }
            var value: [UInt8]?
            switch forgery {
            case .foreignKey: value = try withForeignKey(present.value)
            case .oldRecord: value = earlier.modified == present.modified ? nil : earlier.value
            case .swappedRecord: value = others.value
            }
            if let value {
                fleet.log.noteForged(present.name, value)
                if try await fleet.put(value, at: present.name, over: present.value) {
                    return Forged(key: present.name, value: value, genuine: present.value)
                }
            }
            // Somebody was faster, or has not changed it yet.
            try await Task.sleep(for: .milliseconds(250))
        }
        return nil
    }

    /// A record of the next generation with a key of the intruder's own among its keys.
    private func withForeignKey(_ record: [UInt8]) throws -> [UInt8] {
        let key = try PublicKey(ecPoint: Array(P256.Signing.PrivateKey().publicKey.x963Representation), on: .p256)
        guard var object = try JSONSerialization.jsonObject(with: Data(record)) as? [String: Any],
            var rings = object["rings"] as? [String: [[String: Any]]], let (group, ring) = rings.first,
            let place = ring.firstIndex(where: { $0["state"] as? String == "standby" })
                ?? ring.firstIndex(where: { $0["state"] as? String == "active" }),
            let generation = object["generation"] as? Int, let keyID = ring[place]["keyID"] as? String
        else { throw CampaignError("a record cannot be read: \(String(decoding: record, as: UTF8.self))") }
        rings[group]?[place]["kid"] = key.kid
        rings[group]?[place]["publicKey"] = Data(key.subjectPublicKeyInfo).base64EncodedString()
        rings[group]?[place]["keyID"] = SystemRandom.hexadecimal(bytes: keyID.utf8.count / 2)
        (object["rings"], object["generation"]) = (rings, generation + 1)
        let now = MonotonicClock.nanoseconds()
        history.add(now, now, .foreignKey(kid: key.kid))
        return Array(try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes]))
    }
}

extension Fleet {
    /// What etcd has of an issuer, as soon as a majority of it answers.
    func record(of issuer: String) async throws -> EtcdKeyValue? {
        guard let etcd else { return nil }
        for _ in 0..<100 {
            if let found = try? await etcd.withGateway({ gateway in
                try await gateway.read(.key(try await Fleet.base(gateway) + "issuers/\(issuer)")).values.first
            }) {
                return found
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        return nil
    }

    /// Under which everything of the deployment lies, with a slash at its end.
    static func base(_ gateway: EtcdGateway) async throws -> String {
        let first = try await gateway.names(.prefix(prefix), limit: 1).first?.name.dropFirst(prefix.count)
        return prefix + (first?.prefix { $0 != "/" } ?? "") + "/"
    }

    /// Writes a value where another one is, and changes `head` as a commit does, so that nobody overlooks it.
    ///
    /// - Returns: whether it was.
    func put(_ value: [UInt8], at key: String, over present: [UInt8]) async throws -> Bool {
        guard let etcd else { return false }
        return try await etcd.withGateway { gateway in
            guard let now = try await gateway.read(.key(key)).values.first, now.value == present else { return false }
            let head = (key.components(separatedBy: "issuers/").first ?? "") + "head"
            let change = Array(#"{"change":"\(SystemRandom.hexadecimal(bytes: 16))"}"#.utf8)
            return try await gateway.carryOut(
                EtcdTransaction(comparing: [.modified(key, now.modified)], success: [.put(key, value), .put(head, change)])
            ).succeeded
        }
    }
}
