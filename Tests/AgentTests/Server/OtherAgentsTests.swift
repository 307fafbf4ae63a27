import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import IssuerStore
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@testable import Agent

@Suite("Another agent on the token")
struct OtherAgentsTests {
    private func notes(_ agent: AgentFixture) throws -> [AgentNote] {
        try agent.onToken { session in
            try session.findObjects([.class(.data), .label(AgentNote.label(of: agent.deployment))]).compactMap { object in
                try session.bytes(.application, of: object).flatMap { AgentNote(text: String(decoding: $0, as: UTF8.self)) }
            }
        }
    }

    /// What another agent does when it starts: its note in place of what is there.
    private func write(_ note: AgentNote, _ agent: AgentFixture, deployment: String? = nil) throws {
        let label = AgentNote.label(of: deployment ?? agent.deployment)
        try agent.onToken { session in
            let former = try session.findObjects([.class(.data), .label(label)])
            _ = try session.createDataObject(label: label, application: note.text)
            for object in former { try session.destroyObject(object) }
        }
    }

    private func stranger(_ number: Int, answers: Int = 0) -> AgentNote {
        var note = AgentNote(agent: "feedfacefeedface", process: 4711, host: "elsewhere")
        (note.number, note.answers) = (number, answers)
        return note
    }

    @Test("a start leaves one note of itself, public and without a secret, and the next start replaces it")
    func ownNote() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            let first = try notes(agent)
            #expect(first.count == 1 && first.first?.process == ProcessInfo.processInfo.processIdentifier)
            #expect(try await agent.store.contents().agents == Set(first.map(\.agent)))
            try await agent.restart()
            let second = try notes(agent)
            #expect(second.count == 1 && second.first?.agent != first.first?.agent && second.first?.number == 2)
            try await agent.connected { client in
                #expect(try await client.health().status == "ok")
                _ = try await client.sign()
            }
        }
    }

    @Test("that starts later is named in health and answered, and this one goes on")
    func laterOne() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            try write(stranger(2), agent)
            await agent.settle()
            let health = try await client.health()
            #expect(health.status == "degraded")
            let problem = try #require(health.problems.first { $0.message.contains("another agent of this deployment") })
            #expect(problem.message.contains("process 4711 on elsewhere"))
            #expect(problem.hint?.contains("acceptToken") == true)
            _ = try await client.sign()
            try await client.rotate()
            let answer = try notes(agent)
            #expect(answer.count == 1 && answer.first?.answers == 1, "\(answer)")
            _ = try await client.call(ReloadParameters(acceptToken: true))
            #expect(try await client.health().status == "ok")
        }
    }

    @Test("that was there first and answers stops this one, until an operator says so, also over a restart")
    func earlierOne() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            // What a copy finds that is started beside its original.
            try write(stranger(1), agent)
            try await agent.store.noteAgents(["feedfacefeedface"])
            try await agent.restart()
            #expect(try notes(agent).map(\.number) == [2])
            try await agent.connected { client in
                #expect(try await client.health().status == "ok", "it may as well have ended")
                try write(stranger(1, answers: 1), agent)
                await agent.settle()
                let error = try await refusal { _ = try await client.sign() }
                #expect(error.reason == .issuerQuarantined && error.message.contains("process 4711 on elsewhere"))
                #expect(error.hint?.contains("acceptToken") == true)
                for change in [
                    { try await client.rotate() }, { try await client.create("new") },
                    { _ = try await client.call(IssuerDeleteParameters(issuer: "demo")) },
                ] as [() async throws -> Void] {
                    #expect(try await refusal(change).reason == .issuerQuarantined)
                }
                let health = try await client.health()
                #expect(health.status == "unavailable" && health.problems.contains { $0.message.contains("nothing is signed") })
            }
            try await agent.restart()
            try await agent.connected { client in
                #expect(try await refusal { _ = try await client.sign() }.reason == .issuerQuarantined)
                let onToken = try agent.privateKeysOnToken()
                await agent.pass(90_000)
                _ = try await client.reconcile(dryRun: false)
                #expect(try agent.privateKeysOnToken() == onToken)
                _ = try await client.call(ReloadParameters(acceptToken: true))
                _ = try await client.sign()
                try await client.rotate()
                #expect(try await client.health().status == "ok")
            }
            try await agent.restart()
            try await agent.connected { client in _ = try await client.sign() }
        }
    }

    @Test("of another deployment is nobody's business")
    func otherDeployment() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            let other = String(repeating: "f", count: 32)
            try write(stranger(9), agent, deployment: other)
            for _ in 1...3 { await agent.settle() }
            #expect(try await client.health().status == "ok")
            try await agent.restart()
            try await agent.connected { client in
                #expect(try await client.health().status == "ok")
                _ = try await client.sign()
            }
            #expect(try agent.onToken { try $0.findObjects([.label(AgentNote.label(of: other))]).count } == 1, "it is left alone")
        }
    }

    @Test("cannot be met on a token that keeps no notes, which is no reason not to sign")
    func noNotes() async throws {
        for value in [
            "CKR_TEMPLATE_INCONSISTENT", "CKR_TOKEN_WRITE_PROTECTED", "CKR_GENERAL_ERROR", "CKR_FUNCTION_NOT_SUPPORTED",
        ] {
            try await AgentFixture.with("C_CreateObject return=\(value)") { agent, token, client in
                try await client.create()
                for _ in 1...3 { await agent.settle() }
                _ = try await client.sign()
                let health = try await client.health()
                #expect(health.status == "ok", "\(value): \(health.problems)")
                #expect(try notes(agent).isEmpty)
                #expect(try token.count("C_CreateObject") > 0)
            }
        }
    }
}
