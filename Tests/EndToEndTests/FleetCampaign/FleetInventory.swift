import EtcdStore
import FleetHistory
import FleetSupport
import Foundation
import PKCS11

extension Fleet {
    /// What token and store hold, each read without an agent.
    func inventory(isSettled: Bool) async throws -> Inventory {
        var inventory = etcd == nil ? try await sqliteRecords() : try await etcdRecords()
        let keys = try TokenAndStore.readKeys(token)
        inventory.privateKeys = keys.privateKeys
        inventory.nameless = keys.namelessKeys
        inventory.isSettled = isSettled
        return inventory
    }

    /// What stays the same while the token is read: of a fleet at work.
    func inventoryInPassing() async throws -> Inventory {
        let before = try await etcdRecords()
        let keys = try TokenAndStore.readKeys(token)
        var inventory = try await etcdRecords()
        let live = Set(before.live.map(\.keyID))
        inventory.live.removeAll { !live.contains($0.keyID) }
        inventory.privateKeys = keys.privateKeys
        inventory.nameless = keys.namelessKeys
        inventory.isSettled = false
        return inventory
    }

    private static func empty() -> Inventory { Inventory(privateKeys: [], live: []) }

    private func sqliteRecords() async throws -> Inventory {
        var inventory = Self.empty()
        let rows = try await Programs.run(
            at: "/usr/bin/sqlite3",
            [
                "-readonly", "-separator", "|", agents[0].sqlite ?? "", ".timeout 5000",
                """
                SELECT 'live', lower(hex(key_id)), kid FROM signing_key WHERE state IN ('standby', 'active', 'retiring')
                UNION ALL SELECT 'pending', lower(hex(key_id)), '' FROM generation_intent WHERE tombstone = 0
                UNION ALL SELECT 'pending', lower(hex(key_id)), '' FROM destruction WHERE destroyed_at IS NULL AND lost_at IS NULL
                """,
            ])
        for line in try rows.output(of: ["sqlite3"]).split(separator: "\n") {
            let parts = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { throw CampaignError("the store answers \(line)") }
            if parts[0] == "live" {
                inventory.live.append(.init(kid: parts[2], keyID: parts[1]))
            } else {
                inventory.pending.insert(parts[1])
            }
        }
        return inventory
    }

    private struct IssuerRecord: Decodable {
        struct Key: Decodable {
            let kid: String
            let keyID: String
            let state: String
        }
        let rings: [String: [Key]]
    }
    private struct IntentRecord: Decodable { let tombstone: Bool }

    private func etcdRecords() async throws -> Inventory {
        guard let etcd else { return Self.empty() }
        // Group by group: what is never deleted would take several pages, and be compacted away between two of them.
        let values = try await etcd.withGateway { gateway in
            let base = try await Fleet.base(gateway)
            var values: [EtcdKeyValue] = []
            for group in ["issuers/", "intents/", "destructions/", "quarantined/"] {
                values += try await gateway.read(.prefix(base + group)).values
            }
            return values
        }
        var inventory = Self.empty()
        inventory.aside = []
        for value in values {
            // `/privyseal/1/<deployment>/<kind>/<name>`
            let parts = String(decoding: value.key, as: UTF8.self).split(separator: "/").map(String.init)
            guard parts.count == 5 else { continue }
            let data = Data(value.value)
            switch parts[3] {
            case "issuers" where log.isForged(value): break
            case "issuers":
                let keys = try JSONDecoder().decode(IssuerRecord.self, from: data).rings.values.joined()
                for key in keys where ["standby", "active", "retiring"].contains(key.state) {
                    inventory.live.append(.init(kid: key.kid, keyID: key.keyID.lowercased()))
                }
            case "intents":
                if try !JSONDecoder().decode(IntentRecord.self, from: data).tombstone {
                    inventory.pending.insert(parts[4].lowercased())
                }
            case "destructions": inventory.pending.insert(parts[4].lowercased())
            case "quarantined": inventory.aside?.insert(parts[4].lowercased())
            default: break
            }
        }
        return inventory
    }
}
