import NIOPosix
import NIOSSL
import Platform

/// The clients of a gateway, which are made anew once a file of their certificates has been replaced.
///
/// What is under way ends with the client that it was begun with.
final class Connections: Sendable {
    private struct State {
        var calls, watches: HTTPExchange
        /// Of the files that the clients were made from.
        var identity: String
        /// When the files were looked at last.
        var lookedAt: Int64
        /// Former clients, until nothing is under way in them.
        var retired: [HTTPExchange] = []
        var trouble: EtcdError?
    }

    /// Between two looks at the files, in nanoseconds.
    private static let interval: Int64 = 10_000_000_000

    private let access: EtcdAccess
    private let clock: @Sendable () -> Int64
    private let state: Locked<State>

    /// - Throws: `EtcdError` with `.misconfigured` for a certificate that cannot be read.
    ///
    /// - Parameter clock: of the gateway; not asked where there are no files.
    init(_ access: EtcdAccess, clock: @escaping @Sendable () -> Int64) throws(EtcdError) {
        (self.access, self.clock) = (access, clock)
        let hasFiles = access.authority != nil || access.certificate != nil
        // Before they are read: what is replaced meanwhile is noticed at the next look.
        let identity = Self.identity(of: access)
        let tls = try HTTPExchange.tls(access)
        state = Locked(
            State(
                calls: HTTPExchange(access, tls), watches: HTTPExchange(access, tls, idle: access.limits.watchIdle),
                identity: identity, lookedAt: hasFiles ? clock() : 0))
    }

    var calls: HTTPExchange { state.withLock { $0.calls } }
    var watches: HTTPExchange { state.withLock { $0.watches } }

    /// Why files that were replaced are not used; the former ones are.
    var trouble: EtcdError? { state.withLock { $0.trouble } }

    /// Looks now and then whether the files are those that the clients were made from.
    func refresh() async {
        guard access.authority != nil || access.certificate != nil else { return }
        let now = clock()
        let known = state.withLock { state -> String? in
            guard now - state.lookedAt >= Self.interval else { return nil }
            state.lookedAt = now
            return state.identity
        }
        guard let known else { return }
        await sweep()
        let access = access
        let found = try? await NIOThreadPool.singleton.runIfActive { () -> (String, Result<TLSConfiguration, EtcdError>)? in
            let identity = Self.identity(of: access)
            guard identity != known else { return nil }
            do throws(EtcdError) { return (identity, .success(try HTTPExchange.tls(access))) } catch {
                return (identity, .failure(error))
            }
        }
        guard let (identity, result) = found ?? nil else { return }
        switch result {
        case .failure(let error): state.withLock { $0.trouble = error }
        case .success(let tls):
            let (calls, watches) = (
                HTTPExchange(access, tls), HTTPExchange(access, tls, idle: access.limits.watchIdle)
            )
            state.withLock { state in
                state.retired += [state.calls, state.watches]
                (state.calls, state.watches) = (calls, watches)
                (state.identity, state.trouble) = (identity, nil)
            }
        }
    }

    /// Ends former clients in which nothing is under way.
    private func sweep() async {
        let idle = state.withLock { state in
            let idle = state.retired.filter(\.isIdle)
            state.retired.removeAll { $0.isIdle }
            return idle
        }
        for exchange in idle { await exchange.shutdown() }
    }

    func shutdown() async {
        let all = state.withLock { state in
            defer { state.retired = [] }
            return [state.calls, state.watches] + state.retired
        }
        for exchange in all { await exchange.shutdown() }
    }

    private static func identity(of access: EtcdAccess) -> String {
        [access.authority, access.certificate?.certificate, access.certificate?.key].compactMap(\.self)
            .map { (try? FileIdentity.of($0)) ?? "-" }.joined(separator: " ")
    }
}
