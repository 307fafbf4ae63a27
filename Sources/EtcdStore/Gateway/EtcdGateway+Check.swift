import Foundation

/// What one endpoint says of itself.
public struct EtcdEndpointReport: Sendable {
    public let endpoint: EtcdEndpoint
    /// `3.5.21`; `nil` when it did not say.
    public var version: String?
    public var cluster: UInt64 = 0
    public var member: UInt64 = 0
    /// The member that leads; 0 when there is none.
    public var leader: UInt64 = 0
    /// Bytes of its database.
    public var size: Int64 = 0
    public var alarms: [EtcdAlarm] = []
    /// Why it cannot be used.
    public var trouble: EtcdError?

    /// What is to be said of its release at a start; `nil` for one that is maintained.
    public var remark: String? {
        guard let version, !EtcdVersion(version).isMaintained else { return nil }
        return "etcd at \(endpoint) is \(version), which is not maintained any more or lacks fixes: use 3.5.18, 3.6.5 or a later "
            + "release of these"
    }
}

/// A release of etcd.
struct EtcdVersion: Comparable {
    let numbers: [Int]

    init(_ text: String) {
        numbers = text.split(separator: ".").prefix(3).map { part in Int(part.prefix { $0.isASCII && $0.isNumber }) ?? 0 }
    }

    /// The JSON gateway has its present paths from this one on.
    static let oldest = EtcdVersion("3.4")

    var isMaintained: Bool {
        if self < EtcdVersion("3.6") { return self >= EtcdVersion("3.5.18") }
        return self >= EtcdVersion("3.6.5")
    }

    static func < (left: EtcdVersion, right: EtcdVersion) -> Bool {
        left.numbers.lexicographicallyPrecedes(right.numbers)
    }
}

extension EtcdGateway {
    /// Asks every endpoint by itself what it is.
    public func examine() async -> [EtcdEndpointReport] {
        await refreshCertificates()
        let reports = await withTaskGroup(of: EtcdEndpointReport.self) { group in
            for endpoint in access.endpoints { group.addTask { await self.examine(endpoint) } }
            return await group.reduce(into: [:]) { $0[$1.endpoint] = $1 }
        }
        return access.endpoints.compactMap { reports[$0] }
    }

    /// As `examine`, for a start.
    ///
    /// - Throws: `EtcdError` when no endpoint can be used, or when they are of different clusters.
    public func check() async throws(EtcdError) -> [EtcdEndpointReport] {
        let reports = await examine()
        var trail = AttemptTrail()
        for report in reports {
            if let trouble = report.trouble {
                guard trouble.code != .otherCluster else { throw trouble }
                ring.failed(report.endpoint, trouble)
                trail.note(trouble, mayHaveArrived: false)
            }
        }
        guard let usable = reports.first(where: { $0.trouble == nil }) else {
            throw trail.exhausted(isChange: false, after: nil)
        }
        ring.succeeded(usable.endpoint)
        return reports
    }

    private func examine(_ endpoint: EtcdEndpoint) async -> EtcdEndpointReport {
        var report = EtcdEndpointReport(endpoint: endpoint)
        do {
            let answer = try await exchange.get(endpoint.url + GatewayPath.version, within: access.limits.attempt)
            guard answer.status == 200,
                let version = try? JSONDecoder().decode(WireAnswer.Version.self, from: Data(answer.body)), !version.server.isEmpty
            else {
                throw AttemptFailure(
                    mayHaveArrived: true, code: .unreadable, text: "does not say which etcd it is",
                    hint: "check that etcd listens there and nothing else")
            }
            report.version = version.server
            guard EtcdVersion(version.server) >= .oldest else { throw EtcdError.tooOld(endpoint, "it is \(version.server)") }
            let (body, _) = try await attempt(endpoint, GatewayPath.status, WireRequest.bytes(WireRequest.Empty()))
            let status: WireAnswer.Status = try await read(body, from: endpoint)
            (report.cluster, report.member) = (status.header.cluster, status.header.member)
            (report.leader, report.size) = (status.leader, status.size)
            report.alarms = await alarms(at: endpoint)
        } catch let error as EtcdError {
            report.trouble = error
        } catch let failure as AttemptFailure {
            report.trouble = EtcdError(
                failure.code, "etcd at \(endpoint) \(failure.text)", hint: failure.hint, cause: failure.cause)
        } catch {
            report.trouble = .cancellation
        }
        return report
    }
}
