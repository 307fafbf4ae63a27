public import IssuerStore

/// What agents show each other of their audit logs. No commit: `head` stays as it is.
extension EtcdIssuerStore {
    public func publish(_ head: PublishedHead) async throws(StoreError) {
        try requireWritable()
        try await Self.uncancelled { () async throws(StoreError) in
            let member = try self.joined()
            let record = AuditHeadRecord(
                incarnation: member.incarnation, seq: Int64(clamping: head.seq), hash: head.hash, kid: head.kid,
                signature: head.signature, signedAt: head.signedAt)
            try await self.say(self.layout.head(member.id), record, kept: true)
        }
    }

    public func heads() async throws(StoreError) -> [PublishedHead] {
        let layout = layout
        return try await Self.uncancelled { () async throws(StoreError) in
            let found = try await Self.asking { () async throws(EtcdError) in
                try await self.gateway.read(.prefix(layout.heads)).values
            }
            return found.compactMap { value in
                guard let record = try? AuditHeadRecord.decoded(value), record.seq >= 0 else { return nil }
                return PublishedHead(
                    agent: String(value.name.dropFirst(layout.heads.count)), seq: UInt64(record.seq), hash: record.hash,
                    kid: record.kid, signature: record.signature, signedAt: record.signedAt)
            }
        }
    }
}
