import Foundation
import NIOPosix
import Platform

/// An etcd cluster through the JSON gateway of its members, which is gRPC's face for HTTP (etcd 3.4 and later, under `/v3`).
///
/// Reads are linearizable. A call that meets a dead member goes on to the next one within its time, so a change may be sent
/// more than once: give it comparisons that it makes untrue itself.
public final class EtcdGateway: Sendable {
    /// What a call returns, and when the request was sent that was answered.
    struct Reply<Value: Sendable>: Sendable {
        var value: Value
        var sentAt: Int64
        /// Whether an earlier request of this call may have arrived.
        var isRepeated: Bool
    }

    let access: EtcdAccess
    let ring: EndpointRing
    let token = AuthorizationToken()
    private let connections: Connections
    let clock: @Sendable () -> Int64

    /// - Parameter clock: nanoseconds of a clock that nobody sets and that goes on in suspension, for `sentAt`.
    /// - Throws: `EtcdError` with `.misconfigured`, also for a certificate that cannot be read.
    public init(_ access: EtcdAccess, clock: @escaping @Sendable () -> Int64) throws(EtcdError) {
        guard !access.endpoints.isEmpty else {
            throw EtcdError(
                .misconfigured, "no endpoint of etcd is configured", hint: "name the members' client URLs in store.etcd.endpoints"
            )
        }
        guard Set(access.endpoints.map(\.isSecure)).count == 1 else {
            throw EtcdError(
                .misconfigured, "some endpoints of etcd are http and some https", hint: "have all members listen with TLS")
        }
        if access.certificate != nil || access.authority != nil, access.endpoints.contains(where: { !$0.isSecure }) {
            throw EtcdError(
                .misconfigured, "certificates are configured for etcd, and its endpoints are http",
                hint: "give https endpoints, or leave the certificates out")
        }
        self.access = access
        self.clock = clock
        ring = EndpointRing(access.endpoints)
        connections = try Connections(access, clock: clock)
    }

    var exchange: HTTPExchange { connections.calls }
    /// A client of its own, so that a watch never waits for a call or a call for a watch.
    var watchExchange: HTTPExchange { connections.watches }

    /// Why certificates that were replaced on the disk are not used yet; `nil` when those on the disk are in use.
    public var certificateTrouble: EtcdError? { connections.trouble }

    /// To be called before anything is asked: goes on with the certificates that are on the disk now.
    func refreshCertificates() async { await connections.refresh() }

    /// Closes every connection; calls fail from then on. To be called once, at the end.
    public func close() async {
        await connections.shutdown()
    }

    /// The endpoints that did not answer when they were last asked, and why.
    public var troubles: [EtcdEndpoint: EtcdError] { ring.troubles }

    /// The identity of the cluster; 0 before the first answer.
    public var cluster: UInt64 { ring.cluster }

    /// Asks one member after the other until one answers.
    ///
    /// - Parameter isChange: whether an answer that is missing leaves something open.
    func ask<A: Answer>(
        _ path: String, _ request: some Encodable, _: A.Type, isChange: Bool = false
    ) async throws(EtcdError) -> Reply<A> {
        await refreshCertificates()
        let body = WireRequest.bytes(request)
        let trail = Locked(AttemptTrail())
        do {
            return try await withTimeLimit(access.limits.call) { [self] in
                try await askInTurn(path, body, trail)
            }
        } catch let error as EtcdError {
            throw error
        } catch is TimeLimitReached {
            throw trail.withLock { $0.exhausted(isChange: isChange, after: access.limits.call) }
        } catch is CancellationError {
            throw .cancellation
        } catch {
            throw trail.withLock { $0.exhausted(isChange: isChange, after: nil) }
        }
    }

    private struct NobodyAnswered: Error {}

    private func askInTurn<A: Answer>(_ path: String, _ body: [UInt8], _ trail: Locked<AttemptTrail>) async throws -> Reply<A> {
        for endpoint in ring.attempts() {
            let isRepeated = trail.withLock { trail in
                defer { trail.current = endpoint }
                return trail.mayHaveArrived
            }
            do {
                let (answer, sentAt) = try await attempt(endpoint, path, body)
                let value: A = try await read(answer, from: endpoint)
                ring.succeeded(endpoint)
                return Reply(value: value, sentAt: sentAt, isRepeated: isRepeated)
            } catch let failure as AttemptFailure {
                let error = EtcdError(
                    failure.code, "etcd at \(endpoint) \(failure.text)", hint: failure.hint, cause: failure.cause)
                ring.failed(endpoint, error)
                trail.withLock { $0.note(error, mayHaveArrived: failure.mayHaveArrived) }
            }
        }
        throw NobodyAnswered()
    }

    /// One request to one member, signed in; a token that is refused is replaced once.
    func attempt(_ endpoint: EtcdEndpoint, _ path: String, _ body: [UInt8]) async throws -> (HTTPAnswer, sentAt: Int64) {
        var isSecondTry = false
        while true {
            let token = try await authorization(at: endpoint)
            let sentAt = clock()
            let answer: HTTPAnswer
            do {
                answer = try await exchange.post(endpoint.url + path, body, token: token, within: access.limits.attempt)
            } catch {
                // Some releases end the connection instead of refusing a token.
                if let token, error is AttemptFailure { await self.token.discard(token) }
                throw error
            }
            guard let token, !isSecondTry, answer.status != 200, let fault = WireAnswer.Fault(answer.body),
                [GRPCCode.unauthenticated, GRPCCode.invalidArgument].contains(fault.code)
            else { return (answer, sentAt) }
            await self.token.discard(token)
            isSecondTry = true
        }
    }

    /// The token to ask with; `nil` where no user is configured.
    func authorization(at endpoint: EtcdEndpoint) async throws -> String? {
        guard let user = access.user else { return nil }
        return try await token.value { [self] in try await signIn(user, at: endpoint) }
    }

    private func signIn(_ user: EtcdAccess.User, at endpoint: EtcdEndpoint) async throws -> String {
        let password = try await NIOThreadPool.singleton.runIfActive {
            do throws(PlatformError) {
                var bytes = try SecretFile.readTrusted(path: user.passwordFile, limit: 4_096)
                defer { SecretBytes.wipe(&bytes) }
                return String(decoding: bytes, as: UTF8.self)
            } catch {
                throw EtcdError(.misconfigured, "the password for etcd: \(error)", hint: error.hint, cause: error)
            }
        }
        let request = WireRequest.Authenticate(name: user.name, password: password)
        let answer = try await exchange.post(
            endpoint.url + GatewayPath.authenticate, WireRequest.bytes(request), token: nil, within: access.limits.attempt)
        if let fault = WireAnswer.Fault(answer.body) {
            switch fault.code {
            case GRPCCode.failedPrecondition:
                throw EtcdError(
                    .authenticationOff, "etcd at \(endpoint) has no authentication, and the user \(user.name) is configured",
                    hint: "switch authentication on with etcdctl auth enable, or leave user and passwordFile out")
            case GRPCCode.invalidArgument, GRPCCode.unauthenticated, GRPCCode.permissionDenied:
                throw EtcdError(
                    .credentialsRefused, "etcd at \(endpoint) does not take the user \(user.name) with this password",
                    hint: "check the user with etcdctl user get \(user.name), and write its password into \(user.passwordFile)")
            default: break
            }
        }
        let signedIn: WireAnswer.Authentication = try await read(answer, from: endpoint)
        guard !signedIn.token.isEmpty else {
            throw AttemptFailure(mayHaveArrived: false, code: .unreadable, text: "gave no token to the user \(user.name)")
        }
        return signedIn.token
    }

    /// What an answer says.
    ///
    /// - Throws: `AttemptFailure` where another member may do better, `EtcdError` where none would.
    func read<A: Answer>(_ answer: HTTPAnswer, from endpoint: EtcdEndpoint) async throws -> A {
        if answer.status == 200 {
            guard let value = try? JSONDecoder().decode(A.self, from: Data(answer.body)) else {
                throw AttemptFailure(
                    mayHaveArrived: true, code: .unreadable, text: "sent what cannot be read as an answer",
                    hint: "check that etcd listens there and nothing else")
            }
            // In a stream a fault comes with status 200; it has no header.
            if value.header.cluster == 0, let fault = WireAnswer.Fault(answer.body) {
                throw try await error(for: fault, at: endpoint)
            }
            if let stranger = strangeness(of: value.header.cluster) {
                // Nothing of it counts, and one of the right cluster may be among the others.
                throw AttemptFailure(
                    mayHaveArrived: false, code: .otherCluster, text: stranger, hint: EtcdError.otherClusterHint)
            }
            return value
        }
        guard let fault = WireAnswer.Fault(answer.body) else { throw try unreadable(answer.status, at: endpoint) }
        throw try await error(for: fault, at: endpoint)
    }

    func checkCluster(_ cluster: UInt64, at endpoint: EtcdEndpoint) throws(EtcdError) {
        guard let stranger = strangeness(of: cluster) else { return }
        throw EtcdError(.otherCluster, "etcd at \(endpoint) \(stranger)", hint: EtcdError.otherClusterHint)
    }

    /// What is wrong with an answer of that cluster; `nil` when it is the one that answered before.
    private func strangeness(of cluster: UInt64) -> String? {
        ring.note(cluster: cluster).map { before in
            "is of the cluster \(hexadecimal(cluster)), and the one that answered before is \(hexadecimal(before))"
        }
    }

    func hexadecimal(_ number: UInt64) -> String { String(number, radix: 16) }
}

/// The ways of the gateway.
enum GatewayPath {
    static let version = "/version"
    static let range = "/v3/kv/range"
    static let put = "/v3/kv/put"
    static let transaction = "/v3/kv/txn"
    static let grant = "/v3/lease/grant"
    static let keepAlive = "/v3/lease/keepalive"
    static let revoke = "/v3/lease/revoke"
    static let watch = "/v3/watch"
    static let authenticate = "/v3/auth/authenticate"
    static let status = "/v3/maintenance/status"
    static let alarm = "/v3/maintenance/alarm"
    static let members = "/v3/cluster/member/list"
}

/// What one call has met so far.
struct AttemptTrail {
    var current: EtcdEndpoint?
    private(set) var mayHaveArrived = false
    private var errors: [EtcdError] = []

    mutating func note(_ error: EtcdError, mayHaveArrived: Bool) {
        current = nil
        if !errors.contains(where: { $0.message == error.message }) { errors.append(error) }
        self.mayHaveArrived = self.mayHaveArrived || mayHaveArrived
    }

    /// The error of a call that nobody has answered.
    ///
    /// - Parameter limit: the time that was over; `nil` when every member has been asked.
    mutating func exhausted(isChange: Bool, after limit: Duration?) -> EtcdError {
        if let current, let limit {
            note(
                EtcdError(
                    .unreachable, "etcd at \(current) did not answer before the \(limit) for the call were over",
                    hint: EtcdError.slowHint),
                mayHaveArrived: true)
        }
        let text = errors.map(\.message).joined(separator: "; ")
        if isChange && mayHaveArrived {
            return EtcdError(
                .undecided, "no member of etcd has said what became of a change: \(text)",
                hint:
                    "see that a majority of the members runs, is reached and answers in time; what the store holds is read again "
                    + "then")
        }
        // One that is of another cluster says more than one that does not answer.
        if let stranger = errors.first(where: { $0.code == .otherCluster }) {
            return EtcdError(.otherCluster, text, hint: stranger.hint)
        }
        let codes = Set(errors.map(\.code))
        guard codes.count == 1, let only = errors.first else {
            return EtcdError(
                .unreachable, "no member of etcd answers: \(text)",
                hint: "see that a majority of the members runs, and that this machine reaches their client ports")
        }
        return EtcdError(only.code, text, hint: only.hint, cause: only.cause)
    }
}
