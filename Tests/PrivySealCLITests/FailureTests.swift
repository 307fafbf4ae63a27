import AgentProtocol
import RelyingParty
import Testing

@testable import AgentClient
@testable import privyseal

@Suite("failures")
struct FailureTests {
    static func run(_ error: ProtocolError) async -> CommandLineRun.Outcome {
        await CommandLineRun(agent: ScriptedSession([.issuerStatus: { _ in throw error }]))("issuer show demo")
    }

    @Test("an agent's refusal is shown as error and hint, and is exit code 1")
    func refusal() async {
        let outcome = await Self.run(ProtocolError(.issuerNotFound, "there is no issuer demo", hint: "create it"))
        #expect(outcome.status == 1)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors == "error: there is no issuer demo\nhint: create it\n")
    }

    @Test("a reason from a newer agent is named, and its retryable says what to do")
    func unknownReason() async {
        let reason = Reason(rawValue: "MOON_PHASE")
        let outcome = await Self.run(
            ProtocolError(code: -32099, message: "wrong moon", reason: reason, retryable: true, hint: nil, details: [:]))
        #expect(outcome.status == 1)
        #expect(outcome.errors.hasPrefix("error: wrong moon (MOON_PHASE)\nhint: try again"))
        let final = await Self.run(
            ProtocolError(code: -32099, message: "wrong moon", reason: reason, retryable: false, hint: nil, details: [:]))
        #expect(final.errors == "error: wrong moon (MOON_PHASE)\n")
    }

    @Test("an agent that does not answer is exit code 3")
    func unreachable() async {
        let outcome = await CommandLineRun(isUnreachable: true)("issuer list --socket /tmp/none.sock")
        #expect(outcome.status == 3)
        #expect(outcome.errors == "error: nobody answers at /tmp/none.sock\nhint: start it\n")
    }

    @Test(
        "a call that the agent may have carried out all the same is said to be so, with what to do",
        arguments: [
            (.connectionLost("/s", nil), "the outcome is unknown", "before repeating a change"),
            (.malformedReply("/s", "this is no reply", nil), "the outcome is unknown", "see whether"),
            (.noReply(to: "rotate", within: .seconds(5), path: "/s"), "did not answer", "may be made all the same"),
        ] as [(AgentUnreachable, String, String)])
    func outcomeUnknown(error: AgentUnreachable, message: String, hint: String) {
        #expect(error.isOutcomeUnknown)
        let lines = Failure(error).text.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains(message) && lines[1].contains(hint), "\(lines)")
        #expect(Failure(error).status == .agentUnreachable)
    }

    @Test("the real client finds no agent at an empty place")
    func nothingThere() async {
        await #expect(throws: AgentUnreachable.self) { try await AgentSocket(path: "/nonexistent/agent.sock") }
    }

    @Test(
        "what was judged and found wrong is 4, what could not be got is 1",
        arguments: [
            (.signatureInvalid, .verificationFailed), (.expired, .verificationFailed), (.unknownKid, .verificationFailed),
            (.malformed, .verificationFailed), (.audienceMismatch, .verificationFailed), (.unreachable, .failed),
            (.httpStatus, .failed), (.keySetInvalid, .failed), (.issuerURLInvalid, .usage),
            (VerificationError.Code(rawValue: "later"), .verificationFailed),
        ] as [(VerificationError.Code, CommandStatus)])
    func verification(code: VerificationError.Code, status: CommandStatus) {
        let failure = Failure(VerificationError(code, "what", hint: "do"))
        #expect(failure == Failure(status, "what", hint: "do"))
    }

    @Test("a reply that is not understood says so")
    func notUnderstood() async {
        let agent = ScriptedSession([.getDiscovery: { _ in ["other": 1] }])
        let outcome = await CommandLineRun(agent: agent)("jwks demo")
        #expect(outcome.status == 1)
        #expect(outcome.errors.hasPrefix("error: the agent's reply to get-discovery is not understood"))
    }
}
