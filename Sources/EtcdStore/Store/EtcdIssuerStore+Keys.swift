import Foundation
public import IssuerStore
public import KeyLifecycle

/// What has to be finished on the token.
extension EtcdIssuerStore {
    public func record(_ intent: GenerationIntent) async throws(StoreError) {
        let (layout, by) = (layout, by)
        let place = layout.keyID(intent.keyID)
        try await changing(reading: [place]) { (snapshot, change) throws(StoreError) in
            guard !snapshot.exists(place) else { throw .conflict("the CKA_ID \(intent.keyID) has been used before") }
            change.compare(place, in: snapshot)
            try change.put(
                place, KeyIDRecord(.intent, issuer: intent.issuer.text, at: intent.recordedAt.seconds))
            try change.put(layout.intent(intent.keyID), IntentRecord(intent, by: by))
            return true
        }
    }

    public func bury(_ keyID: KeyID) async throws(StoreError) {
        let place = layout.intent(keyID)
        try await changing(reading: [place]) { (snapshot, change) throws(StoreError) in
            guard var record: IntentRecord = try snapshot.record(place) else {
                throw .conflict("there is no intent for the key \(keyID)")
            }
            guard !record.tombstone else { return false }
            record.tombstone = true
            change.compare(place, in: snapshot)
            try change.put(place, record)
            return true
        }
    }

    public func abandon(_ keyID: KeyID, publicKey: [UInt8]?, at moment: Timestamp) async throws(StoreError) {
        let (layout, plan) = (layout, plan)
        let (intent, quarantined, destruction) = (
            layout.intent(keyID), layout.quarantined(keyID), layout.destruction(keyID)
        )
        try await changing(reading: [intent, quarantined, destruction]) { (snapshot, change) throws(StoreError) in
            let place: String
            let (issuer, known): (String, [UInt8]?)
            if let record: QuarantinedRecord = try snapshot.record(quarantined) {
                (place, issuer, known) = (quarantined, record.issuer, record.publicKey.map(Array.init))
            } else if let record: IntentRecord = try snapshot.record(intent) {
                (place, issuer, known) = (intent, record.issuer, publicKey)
            } else if snapshot.exists(destruction) {
                return false
            } else {
                throw .conflict("there is no intent for the key \(keyID)")
            }
            change.compare(place, in: snapshot)
            change.delete(place)
            try plan.destroy(keyID, known, issuer: .reading(issuer), at: moment, snapshot, &change)
            return true
        }
    }

    public func markDestroyed(_ keyID: KeyID, at moment: Timestamp) async throws(StoreError) {
        let (place, keyIDPlace) = (layout.destruction(keyID), layout.keyID(keyID))
        try await changing(reading: [place, keyIDPlace]) { (snapshot, change) throws(StoreError) in
            guard let record: DestructionRecord = try snapshot.record(place) else {
                let known: KeyIDRecord? = try snapshot.record(keyIDPlace)
                guard known?.role == KeyIDRecord.Role.destroyed.rawValue else {
                    throw .conflict("the key \(keyID) is not to be destroyed")
                }
                return false
            }
            change.compare(place, in: snapshot)
            change.delete(place)
            try change.put(keyIDPlace, KeyIDRecord(.destroyed, issuer: record.issuer, at: moment.seconds))
            return true
        }
    }

    /// In several transactions where there are many: what is marked too early is looked for before it counts as gone.
    public func strandDestructions() async throws(StoreError) {
        let all = layout.destructions
        while true {
            let pending = try await snapshot([], under: [all]).under(all)
            var unmarked: [String] = []
            for value in pending where try !DestructionRecord.decoded(value).stray { unmarked.append(value.name) }
            guard !unmarked.isEmpty else { return }
            let batch = Array(unmarked.prefix(100))
            try await changing(reading: batch) { (snapshot, change) throws(StoreError) in
                for place in batch {
                    guard var record: DestructionRecord = try snapshot.record(place), !record.stray else { continue }
                    record.stray = true
                    change.compare(place, in: snapshot)
                    try change.put(place, record)
                }
                return !change.written.isEmpty
            }
        }
    }

    public func noteToken(_ token: TokenIdentity) async throws(StoreError) {
        let place = layout.token
        try await changing(reading: [place]) { (snapshot, change) throws(StoreError) in
            let known: TokenRecord? = try snapshot.record(place)
            guard known?.label != token.label || known?.serial != token.serial else { return false }
            change.compare(place, in: snapshot)
            try change.put(place, TokenRecord(label: token.label, serial: token.serial))
            return true
        }
    }
}
