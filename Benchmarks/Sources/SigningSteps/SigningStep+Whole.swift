import AgentProtocol
import Foundation
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport

@testable import Agent

extension SigningStep {
    /// A request as the dispatcher takes it, one at a time, with a token that signs and an audit log in a file.
    ///
    /// - Parameter isShared: whether the store is one that other agents change too, and has confirmed what the agent goes by.
    static func whole(
        _ name: String, _ summary: String, _ algorithm: SignatureAlgorithm, sharing isShared: Bool = false
    ) -> SigningStep {
        SigningStep(name, summary, isOnOneThread: false) {
            let requests = try await WholeRequests(algorithm, sharing: isShared)
            return PreparedStep {
                try requests.perform()
            } end: {
                await requests.end()
            }
        }
    }
}

/// An agent without a socket, asked by one caller.
private final class WholeRequests: Sendable {
    private let dispatcher: Dispatcher
    private let context: OperationContext
    private let hsm: HSM
    private let audit: AuditLog
    private let token: SoftHSMToken
    private let directory: SampleDirectory
    /// The length of the first reply, which all have.
    private let length = Locked(Int?.none)

    init(_ algorithm: SignatureAlgorithm, sharing isShared: Bool) async throws {
        let agent = try SampleAgent()
        token = try SoftHSMToken()
        var configuration = HSMConfiguration(modulePath: token.modulePath, token: try TokenURI(token.tokenURI), sessions: 1)
        configuration.isStoreShared = isShared
        hsm = try HSM(configuration, pin: token.pin(), pinIdentity: "steps", clock: agent.clock, log: agent.log)
        hsm.fence.move(to: agent.clock.monotonic() + 86_400_000_000_000)
        let key = try await hsm.custody.generate(
            KeySpecification(algorithm, rsaBits: 2_048), keyID: try required(KeyID(SystemRandom.bytes(KeyID.length))),
            label: "privyseal/steps", urgency: .awaited)
        agent.install(try SampleKey.reference(to: key))
        directory = try SampleDirectory()
        audit = try agent.auditLog(in: directory)
        let startGate = StartGate()
        startGate.open()
        dispatcher = Dispatcher(
            gate: agent.gate, audit: audit,
            sign: Sign(gate: agent.gate, board: agent.board, hsm: hsm, audit: audit, clock: agent.clock),
            operations: OperationTable(gate: agent.gate, audit: audit, log: agent.log), startGate: startGate,
            underWay: InFlightCounter())
        context = OperationContext(
            caller: agent.caller, connection: ConnectionID(number: 1), notifications: NoNotifications())
    }

    /// - Returns: the length of the reply's line.
    func perform() throws -> Int {
        let reply = Locked([UInt8]())
        let hasReplied = Signal()
        guard case .received(let request) = dispatcher.read(.line(SampleIssuer.line), context.caller) else {
            throw StepError("the agent does not admit the request")
        }
        dispatcher.carryOut(request, context) { line in
            reply.withLock { $0 = line }
            hasReplied.send()
        }
        hasReplied.wait()
        let line = reply.withLock { $0 }
        let first = length.withLock { length in
            if length == nil, line.contains(Array("\"result\"".utf8)) { length = line.count }
            return length
        }
        guard line.count == first else { throw StepError("the agent does not sign: \(String(decoding: line, as: UTF8.self))") }
        return line.count
    }

    func end() async {
        await audit.close()
        await hsm.shutdown()
        token.remove()
        directory.remove()
    }
}

private struct NoNotifications: NotificationSink {
    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) {}
}
