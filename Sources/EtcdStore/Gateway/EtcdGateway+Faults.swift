/// Codes of gRPC that etcd answers with (google/rpc/code.proto).
enum GRPCCode {
    static let cancelled = 1
    static let unknown = 2
    static let invalidArgument = 3
    static let deadlineExceeded = 4
    static let notFound = 5
    static let permissionDenied = 7
    static let resourceExhausted = 8
    static let failedPrecondition = 9
    static let outOfRange = 11
    static let unimplemented = 12
    static let internalError = 13
    static let unavailable = 14
    static let unauthenticated = 16

    /// With these another member may do better, and a change may have been made.
    static let passing: Set = [cancelled, unknown, deadlineExceeded, internalError, unavailable]
}

extension EtcdGateway {
    /// What a fault means. Where a code stands for several things the cluster is asked, since its texts change between releases.
    ///
    /// - Throws: `AttemptFailure` where another member may do better.
    func error(for fault: WireAnswer.Fault, at endpoint: EtcdEndpoint) async throws -> EtcdError {
        let said = "etcd at \(endpoint) says \"\(fault.text)\""
        switch fault.code {
        case _ where GRPCCode.passing.contains(fault.code):
            throw AttemptFailure(
                mayHaveArrived: true, code: .unreachable, text: "says \"\(fault.text)\"",
                hint: "see that a majority of etcd's members runs and has a leader, and that their disks keep up")
        case GRPCCode.resourceExhausted:
            guard await alarms(at: endpoint).contains(where: { $0.kind == "NOSPACE" }) else {
                return EtcdError(.overloaded, said, hint: "see what else loads etcd", cause: nil)
            }
            return .noSpace(at: endpoint)
        case GRPCCode.unauthenticated:
            return EtcdError(
                .credentialsRefused, "\(said) although this side has just signed in",
                hint: "see that the members agree about users, tokens and time")
        case GRPCCode.permissionDenied where access.user == nil && access.certificate != nil:
            // A client certificate without a CommonName is nobody.
            return .authenticationRequired(at: endpoint)
        case GRPCCode.permissionDenied:
            return EtcdError(
                .permissionDenied, said,
                hint: "give the user \(access.user?.name ?? "") a role that may read and write everything under the prefix: "
                    + "etcdctl role grant-permission ROLE readwrite PREFIX/ --prefix")
        case GRPCCode.outOfRange:
            return EtcdError(.compacted, said, hint: "read again from the present on")
        case GRPCCode.notFound:
            return EtcdError(.leaseGone, said, hint: "take a new lease")
        case GRPCCode.unimplemented:
            return .tooOld(endpoint, fault.text)
        default:
            guard fault.code == GRPCCode.invalidArgument, access.user == nil, await demandsUser(endpoint) else {
                return EtcdError(.refused, said, hint: "see etcd's log")
            }
            return .authenticationRequired(at: endpoint)
        }
    }

    /// What an answer that is not the gateway's means.
    func unreadable(_ status: Int, at endpoint: EtcdEndpoint) throws(EtcdError) -> AttemptFailure {
        switch status {
        case 404:
            return AttemptFailure(
                mayHaveArrived: false, code: .gatewayOff, text: "has no JSON gateway under /v3",
                hint: "start etcd without --enable-grpc-gateway=false, in a release of 3.4 or later")
        case 400 where access.certificate != nil:
            // Before the gateway itself, and in plain text: etcd takes the CommonName for a user, whom the gateway would hide.
            throw EtcdError(
                .commonName,
                "etcd at \(endpoint) refuses the client certificate: with authentication on it may have no CommonName",
                hint: "issue a client certificate with subject alternative names and without CN, and set user and passwordFile")
        default:
            return AttemptFailure(
                mayHaveArrived: true, code: status < 500 ? .unreadable : .unreachable, text: "answered with status \(status)",
                hint: "check that etcd listens there and nothing else")
        }
    }

    func alarms(at endpoint: EtcdEndpoint) async -> [EtcdAlarm] {
        guard let (answer, _) = try? await attempt(endpoint, GatewayPath.alarm, WireRequest.bytes(WireRequest.Alarm())),
            answer.status == 200, let value: WireAnswer.Alarms = try? await read(answer, from: endpoint)
        else { return [] }
        return value.alarms
    }

    /// Whether authentication is on: a cluster without it says so to whoever signs in, by a code of its own.
    private func demandsUser(_ endpoint: EtcdEndpoint) async -> Bool {
        let nobody = WireRequest.bytes(WireRequest.Authenticate(name: "", password: ""))
        let answer = try? await exchange.post(
            endpoint.url + GatewayPath.authenticate, nobody, token: nil, within: access.limits.attempt)
        return answer.flatMap { WireAnswer.Fault($0.body) }.map { $0.code != GRPCCode.failedPrecondition } ?? false
    }
}

extension EtcdError {
    /// For a member that takes connections and does not answer in time.
    static let slowHint =
        "it is there, and slow or standing still: check its disk and its load, and what its log says took too long"

    static let otherClusterHint =
        "name members of one cluster in store.etcd.endpoints; where this is the cluster made anew from a snapshot, restart the agent "
        + "and decide with: privyseald recover --restored"

    static func authenticationRequired(at endpoint: EtcdEndpoint) -> EtcdError {
        EtcdError(
            .authenticationRequired, "etcd at \(endpoint) has authentication, and no user is configured",
            hint: "set user and passwordFile in store.etcd")
    }

    static func noSpace(at endpoint: EtcdEndpoint) -> EtcdError {
        EtcdError(
            .noSpace, "etcd at \(endpoint) has used up its quota: it can be read and not changed (alarm NOSPACE)",
            hint:
                "compact and defragment it (etcdctl compact, etcdctl defrag) or raise --quota-backend-bytes, then etcdctl alarm "
                + "disarm")
    }

    static func tooOld(_ endpoint: EtcdEndpoint, _ what: String) -> EtcdError {
        EtcdError(
            .tooOld, "etcd at \(endpoint) is too old: \(what)",
            hint: "use etcd 3.5.18, 3.6.5 or a later release of these; "
                + "3.4 is the oldest that works")
    }
}
