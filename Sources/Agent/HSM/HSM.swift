import Foundation
import JOSE
import KeyLifecycle
import PKCS11

/// The HSM token of an agent: the threads that sign and the one that manages keys, over one login.
final class HSM: Sendable {
    /// The token's label and serial number, trimmed.
    let tokenLabel: String
    let tokenSerial: String
    let custody: any KeyCustody
    let status: HSMStatus
    private let access: TokenAccess
    private let management: TokenManagement
    private let queue: BlockingQueue<SigningJob>
    private let configuration: HSMConfiguration
    private let clock: AgentClock
    /// The threads that are running.
    private let threads = UseCount()

    private static let startHint = "check the token section of the configuration"

    /// Loads the module, logs in once and starts the threads.
    ///
    /// Must not run on the cooperative pool.
    /// - Throws: `HSMError`, with `.pinRefused` when the token did not take the PIN.
    init(_ configuration: HSMConfiguration, pin: PIN, clock: AgentClock) throws(HSMError) {
        self.configuration = configuration
        self.clock = clock
        do throws(PKCS11Error) {
            access = try TokenAccess.start(configuration, pin: pin)
        } catch {
            throw HSMError(error, todo: Self.startHint)
        }
        tokenLabel = access.info.label
        tokenSerial = access.info.serialNumber
        management = TokenManagement(access: access)
        custody = management
        queue = BlockingQueue(limit: configuration.queueLimit)
        status = HSMStatus()
        try startManagement()
        for number in 1...max(configuration.sessions, 1) {
            let worker = SigningWorker(access: access, queue: queue, status: status, clock: clock)
            start("sign-\(number)") { worker.run() }
        }
    }

    private func startManagement() throws(HSMError) {
        let result = HandOver<HSMError?>()
        start("manage") { [access, management] in
            do throws(PKCS11Error) {
                let session = try Self.firstSession(access)
                result.put(nil)
                management.run(session)
            } catch {
                result.put(HSMError(error, todo: Self.startHint))
            }
        }
        if let failure = result.take() {
            try? access.module.finalize()
            throw failure
        }
    }

    /// Several processes that start on one SoftHSM token fail to log in now and then; a refused PIN is not tried again.
    private static func firstSession(_ access: TokenAccess) throws(PKCS11Error) -> Session {
        for _ in 1..<5 {
            do throws(PKCS11Error) {
                return try access.openSession(.readWrite)
            } catch  where error.returnValue.map(HSMError.pinRefusals.contains) != true {
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
        return try access.openSession(.readWrite)
    }

    private func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        threads.begin()
        let thread = Thread { [threads] in
            body()
            threads.end()
        }
        thread.name = "privyseal-\(name)"
        thread.start()
    }

    /// Queues a signature; `completion` is called once, from another thread or at once when it cannot be queued.
    func sign(
        _ digest: SigningDigest, with key: KeyReference,
        completion: @escaping @Sendable (Result<[UInt8], HSMError>) -> Void
    ) {
        let deadline = clock.monotonic() + Int64(configuration.deadlineSeconds) * 1_000_000_000
        do throws(BlockingQueue<SigningJob>.Refusal) {
            try queue.push(SigningJob(key: key, digest: digest, deadline: deadline, completion: completion))
        } catch {
            switch error {
            case .full:
                completion(
                    .failure(HSMError(.busy, "\(configuration.queueLimit) signatures are waiting", hint: "try again in a moment"))
                )
            case .closed:
                completion(.failure(HSMError(.shuttingDown, "the agent is shutting down", hint: "try again after its restart")))
            }
        }
    }

    /// Signatures that wait.
    var queuedSignatures: Int { queue.count }
    /// The return value the token refused the PIN with, while the agent was running.
    var refusedPIN: ReturnValue? { access.refusedPIN }

    /// Answers what is queued, ends the threads and finalises the module.
    func shutdown() async {
        queue.close()
        management.close()
        await threads.drained()
        try? access.module.finalize()
    }
}

/// One value, handed from one thread to another that waits for it.
// Sendable: `value` is written before the semaphore is signalled, and read after it was waited for.
private final class HandOver<Value: Sendable>: @unchecked Sendable {
    private let ready = DispatchSemaphore(value: 0)
    private var value: Value?

    func put(_ value: Value) {
        self.value = value
        ready.signal()
    }

    func take() -> Value {
        ready.wait()
        // `put` has run, or the semaphore would not have been signalled.
        return value!
    }
}
