import Foundation
public import IssuerStore
import Logging
import PKCS11
import Platform

/// Logging in to the token: a PIN is sent once, and one that was refused is remembered.
extension AgentServer {
    /// Logs in to the token and out again, to see whether an agent could start.
    ///
    /// - Parameter store: where a refused PIN is remembered; `nil` when there is no store yet.
    /// - Throws: `HSMError`, `StoreError`.
    public static func rehearse(
        _ configuration: AgentConfiguration, store: (any IssuerStorage)?, environment: AgentEnvironment
    ) async throws {
        try await logIn(configuration, store: store, environment).end()
    }

    /// Sends the PIN once. One that was refused is remembered with its source and not sent again until that changes.
    static func logIn(
        _ configuration: AgentConfiguration, store: (any IssuerStorage)?, _ environment: AgentEnvironment
    ) async throws -> HSM {
        let source = configuration.pin
        let identity = try source.identity()
        let refused = try await store?.refusedPIN()
        if let refused, refused.source == identity {
            throw HSMError(
                .pinRefused, "the token refused this PIN before (\(refused.returnValue)), so it is not sent again",
                hint: source.correction)
        }
        do {
            var hsmConfiguration = configuration.hsm
            hsmConfiguration.mayUseLastTry = refused != nil
            let pin = try source.read()
            guard try source.identity() == identity else {
                throw HSMError(
                    .unavailable, "the source of the PIN changed while it was read", hint: "start the agent again")
            }
            if let obstacle = pin.swapObstacle {
                environment.log.warning(
                    "the PIN may be written to swap: its memory could not be locked",
                    metadata: [
                        "reason": "mlock: \(obstacle)", "limit": "\(LockedMemory.limitText)",
                        "hint": "raise the limit on locked memory: LimitMEMLOCK= of the unit, or ulimit -l",
                    ])
            }
            let hsm = try await onThread(limit: .seconds(6 * hsmConfiguration.callLimitSeconds)) { [hsmConfiguration] in
                try HSM(hsmConfiguration, pin: pin, pinIdentity: identity, clock: environment.clock, log: environment.log)
            }
            do {
                if refused != nil { try await store?.setRefusedPIN(nil) }
            } catch {
                await hsm.shutdown()
                throw error
            }
            return hsm
        } catch let error as HSMError where error.code == .pinRefused {
            // Without a return value, the PIN was not sent.
            if let returnValue = (error.cause as? PKCS11Error)?.returnValue {
                let refused = RefusedPIN(source: identity, returnValue: returnValue.name, at: environment.clock.wall())
                await note(refused, in: store, environment.log)
            }
            throw error
        }
    }

    /// Runs work that calls the module away from the cooperative pool.
    ///
    /// - Throws: `HSMError` with `.stuck` when it has not ended in its time; it goes on then, and nothing comes of it.
    private static func onThread<Value: Sendable>(
        limit: Duration, _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let answer = OneAnswer(continuation)
            let timer = Task {
                try await Task.sleep(for: limit)
                answer.give(.failure(HSMError.stuck(.unanswered)))
            }
            NamedThread.start("login") {
                answer.give(Result(catching: work))
                timer.cancel()
            }
        }
    }

    /// Returns whether the refusal is on disk, where there is a store.
    @discardableResult
    static func note(_ refused: RefusedPIN, in store: (any IssuerStorage)?, _ log: Logger) async -> Bool {
        do {
            try await store?.setRefusedPIN(refused)
            return true
        } catch {
            log.error("a refused PIN could not be noted", metadata: ["reason": "\(error)"])
            return false
        }
    }
}
