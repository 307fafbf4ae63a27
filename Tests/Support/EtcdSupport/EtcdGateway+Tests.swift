public import EtcdStore
import Foundation
public import Platform

extension EtcdGateway {
    /// Runs `body` with a gateway to a member, closed afterwards.
    public static func with<Value>(
        _ endpoints: [EtcdEndpoint], _ change: (inout EtcdAccess) -> Void = { _ in },
        clock: @escaping @Sendable () -> Int64 = MonotonicClock.nanoseconds, _ body: (EtcdGateway) async throws -> Value
    ) async throws -> Value {
        var access = EtcdAccess(endpoints: endpoints)
        change(&access)
        let gateway = try EtcdGateway(access, clock: clock)
        do {
            let value = try await body(gateway)
            await gateway.close()
            return value
        } catch {
            await gateway.close()
            throw error
        }
    }

    /// A prefix that no other test has.
    public static func prefix() -> String { "/t\(SystemRandom.hexadecimal(bytes: 8))" }
}
