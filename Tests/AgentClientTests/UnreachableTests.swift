import AgentProtocol
import Foundation
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import AgentClient

@Suite("An agent that cannot be reached")
struct UnreachableTests {
    @Test("a missing socket, a socket nobody listens on and a file each have their hint")
    func connecting() async throws {
        try await withTemporaryDirectory { directory in
            let missing = directory + "/missing.sock"
            let file = directory + "/file"
            try Data().write(to: URL(filePath: file))
            let stale = directory + "/stale.sock"
            try leaveSocketFile(at: stale)
            for (path, code) in [(missing, AgentUnreachable.Code.socketMissing), (file, .refused), (stale, .refused)] {
                let error = await #expect(throws: AgentUnreachable.self) { try await AgentConnection.connect(socketPath: path) }
                #expect(error?.code == code)
                #expect(error?.path == path)
                #expect(error?.isOutcomeUnknown == false)
                #expect(error?.hint.isEmpty == false)
            }
        }
    }

    @Test(
        "a path that is too long or empty is refused before anything is tried",
        arguments: ["", String(repeating: "x", count: 300)])
    func path(_ path: String) async {
        let error = await #expect(throws: AgentUnreachable.self) { try await AgentConnection.connect(socketPath: path) }
        #expect(error?.code == .pathInvalid)
    }

    @Test(
        "what the system says becomes a code",
        arguments: [
            (ENOENT, .socketMissing), (ENOTDIR, .socketMissing), (ECONNREFUSED, .refused), (EACCES, .permissionDenied),
            (EPERM, .permissionDenied), (EAGAIN, .busy), (EMFILE, .connectFailed),
        ] as [(CInt, AgentUnreachable.Code)])
    func codes(_ errno: CInt, _ code: AgentUnreachable.Code) {
        let error = AgentUnreachable.connecting(to: "/s", IOError(errnoCode: errno, reason: "connect"))
        #expect(error.code == code)
        #expect(!error.message.contains("\n"))
    }

    @Test("a connection lost during a call leaves its outcome unknown; calls after that were not sent")
    func lost() async throws {
        try await ScriptedServer.with { _ in
            [.close]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let lost = await #expect(throws: AgentUnreachable.self) { try await client.call(VersionParameters()) }
            #expect(lost?.code == .connectionLost)
            #expect(lost?.isOutcomeUnknown == true)
            let closed = await #expect(throws: AgentUnreachable.self) { try await client.call(VersionParameters()) }
            #expect(closed?.code == .connectionClosed)
            #expect(closed?.isOutcomeUnknown == false)
        }
    }

    @Test("closing ends the calls under way, and may be repeated")
    func closing() async throws {
        try await ScriptedServer.with { _ in
            []
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let call = Task { try await client.call(VersionParameters()) }
            // A call that came too late for the connection is as good here as one that was under way.
            await client.close()
            await client.close()
            let error = await #expect(throws: AgentUnreachable.self) { try await call.value }
            #expect(error?.code == .connectionLost || error?.code == .connectionClosed)
        }
    }

    @Test(
        "something that is no agent is found out",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n", "{}\n", "\n", "{\"jsonrpc\":\"2.0\",\"method\":\"issuer-changed\",\"params\":{}}\n",
        ])
    func malformed(_ line: String) async throws {
        try await ScriptedServer.with { _ in
            [.text(line)]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let error = await #expect(throws: AgentUnreachable.self) { try await client.watch() }
            #expect(error?.code == .malformedReply)
            #expect(error?.isOutcomeUnknown == true)
        }
    }

    @Test("a reply line over the limit is given up on")
    func endless() async throws {
        let chunk = [UInt8](repeating: 32, count: ProtocolLimits.replyLine + 1)
        try await ScriptedServer.with { _ in
            [.send(chunk)]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let error = await #expect(throws: AgentUnreachable.self) { try await client.call(VersionParameters()) }
            #expect(error?.code == .malformedReply)
        }
    }

    @Test("an error without an id ends the calls under way with it")
    func unmatched() async throws {
        try await ScriptedServer.with { _ in
            [.send(ReplyLine.failure(id: nil, ProtocolError(.parseError, "what?")))]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let error = await #expect(throws: ProtocolError.self) { try await client.call(VersionParameters()) }
            #expect(error?.reason == .parseError)
        }
    }
}

/// Leaves a socket file on which nobody listens, nor did: a child of another test may still hold what was open here.
private func leaveSocketFile(at path: String) throws {
    close(try bindSocket(at: path))
}
