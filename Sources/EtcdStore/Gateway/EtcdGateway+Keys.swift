/// Everything in a range as of one revision.
public struct EtcdReading: Sendable {
    /// In the order of the keys.
    public var values: [EtcdKeyValue]
    public var revision: Int64
    /// When the request was sent that fixed the revision, by the clock of the gateway: what is here was so at that moment or
    /// after it.
    public var sentAt: Int64
}

extension EtcdGateway {
    /// Keys in one answer. Each of 8 KB they make half of the 4 MB that the gateway itself takes from its member.
    static let page = 256

    /// Everything in a range, page by page and all as of one revision: the present one, unless one is given.
    ///
    /// - Parameters:
    ///   - since: leaves out what was changed before that revision.
    ///   - keysOnly: leaves out the values.
    /// - Throws: `EtcdError`, with `.compacted` when the revision is not kept any more: read again then; `.futureRevision` for
    ///   one that the cluster has not reached.
    public func read(
        _ range: EtcdKeyRange, at revision: Int64 = 0, since: Int64 = 0, keysOnly: Bool = false, page: Int = 256
    ) async throws(EtcdError) -> EtcdReading {
        var rest = range
        var reading = EtcdReading(values: [], revision: revision, sentAt: 0)
        while true {
            let request = WireRequest.Range(
                rest, limit: page, revision: reading.revision, since: since, keysOnly: keysOnly)
            let reply = try await readPage(request)
            if reading.sentAt == 0 { reading.sentAt = reply.sentAt }
            if reading.revision == 0 { reading.revision = reply.value.header.revision }
            reading.values += reply.value.page.values
            guard reply.value.page.hasMore, let last = reply.value.page.values.last, !range.end.isEmpty else { return reading }
            rest.start = last.key + [0]
        }
    }

    /// How many keys a range has.
    public func count(_ range: EtcdKeyRange) async throws(EtcdError) -> Int64 {
        try await readPage(WireRequest.Range(range, countOnly: true)).value.page.count
    }

    /// The first keys of a range, without their values.
    public func names(_ range: EtcdKeyRange, limit: Int) async throws(EtcdError) -> [EtcdKeyValue] {
        try await readPage(WireRequest.Range(range, limit: limit, keysOnly: true)).value.page.values
    }

    private func readPage(_ request: WireRequest.Range) async throws(EtcdError) -> Reply<WireAnswer.Range> {
        do {
            return try await ask(GatewayPath.range, request, WireAnswer.Range.self)
        } catch {
            guard error.code == .compacted, let asked = request.revision?.value else { throw error }
            // One code says both that a revision is not kept any more and that it is still to come.
            let present = WireRequest.Range(EtcdKeyRange(start: request.key.bytes, end: []), countOnly: true)
            let now = try await ask(GatewayPath.range, present, WireAnswer.Range.self).value.header.revision
            guard asked > now else { throw error }
            throw EtcdError(
                .futureRevision, "\(error.message): revision \(asked) was asked for, and the cluster is at \(now)",
                hint: "the cluster has lost what it had said before: treat it as a restored backup", cause: error)
        }
    }

    /// Carries out a transaction.
    ///
    /// It may be sent several times, so it must make one of its own comparisons untrue; one that only reads need not.
    /// - Throws: `EtcdError`, with `.undecided` when it is not known whether it took effect.
    public func carryOut(_ transaction: EtcdTransaction) async throws(EtcdError) -> EtcdOutcome {
        let isChange = (transaction.success + transaction.failure).contains { operation in
            if case .get = operation { false } else { true }
        }
        let reply = try await ask(
            GatewayPath.transaction, WireRequest.Transaction(transaction), WireAnswer.Transaction.self, isChange: isChange)
        return EtcdOutcome(
            succeeded: reply.value.succeeded, found: reply.value.found, revision: reply.value.header.revision,
            isRepeated: reply.isRepeated, sentAt: reply.sentAt)
    }

    /// Sets a key, whatever it was. It may be set several times within the time of the call.
    ///
    /// - Parameter lease: the key ends with it.
    /// - Returns: the revision of the store that this made.
    @discardableResult
    public func put(_ key: String, _ value: [UInt8], lease: Int64? = nil) async throws(EtcdError) -> Int64 {
        let request = WireRequest.Put(
            key: WireBytes(bytes: Array(key.utf8)), value: WireBytes(bytes: value), lease: lease.map { WireInteger(value: $0) })
        return try await ask(GatewayPath.put, request, WireAnswer.Plain.self, isChange: true).value.header.revision
    }

    /// Takes a lease, which says who is there and never who may do something.
    ///
    /// - Parameter seconds: how long it lives unless it is kept alive.
    public func grantLease(seconds: Int) async throws(EtcdError) -> Int64 {
        let request = WireRequest.Grant(TTL: WireInteger(value: Int64(seconds)))
        return try await ask(GatewayPath.grant, request, WireAnswer.Lease.self).value.id
    }

    /// Has a lease live as long again; one request each, since the gateway reads a stream up to its first message only.
    ///
    /// - Returns: the seconds it lives from now on.
    /// - Throws: `EtcdError` with `.leaseGone` when it has expired.
    @discardableResult
    public func keepLeaseAlive(_ lease: Int64) async throws(EtcdError) -> Int {
        let request = WireRequest.Lease(ID: WireInteger(value: lease))
        let reply = try await ask(GatewayPath.keepAlive, request, WireAnswer.KeepAlive.self)
        guard let ttl = reply.value.lease?.ttl, ttl > 0 else {
            throw EtcdError(.leaseGone, "the lease \(lease) has expired", hint: "take a new lease")
        }
        return Int(ttl)
    }

    /// Ends a lease, and with it the keys that hang on it. One that is gone is no error.
    public func revokeLease(_ lease: Int64) async throws(EtcdError) {
        let request = WireRequest.Lease(ID: WireInteger(value: lease))
        do {
            _ = try await ask(GatewayPath.revoke, request, WireAnswer.Plain.self)
        } catch {
            guard error.code == .leaseGone else { throw error }
        }
    }

    /// The members as the cluster knows them.
    public func members() async throws(EtcdError) -> [EtcdMember] {
        try await ask(GatewayPath.members, WireRequest.Empty(), WireAnswer.Members.self).value.members
    }
}
