import AgentProtocol
import DaemonKit
import Platform

/// An agent that could not start, under a service manager.
///
/// The manager starts an agent whenever somebody waits at its socket. So those who wait are told, or one whose configuration is
/// wrong would be started over and over for the same caller.
struct RefusedStart: Error {
    let reason: any Error

    /// Tells whoever comes to the socket while the end of this start waits for its time.
    func linger(on socket: ActivatedSocket?) async {
        let listening = socket.flatMap { try? ListeningSocket($0) }
        await StartPace.linger { if let listening { Self.refuseAll(listening) } }
    }

    /// Nobody is authorised here, so nobody is told why.
    private static let refusal = ReplyLine.failure(
        id: nil,
        ProtocolError(
            .shuttingDown, "the agent could not start", hint: "ask its operator: the agent's log says why"))

    private static func refuseAll(_ socket: ListeningSocket) {
        while true {
            switch socket.accept() {
            // The buffer of a new connection has room for a line.
            case .accepted(let caller): _ = caller.write(refusal, from: 0)
            case .gone: continue
            case .nobody, .failed: return
            }
        }
    }
}
