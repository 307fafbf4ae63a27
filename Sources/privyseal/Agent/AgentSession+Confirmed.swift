import AgentProtocol

extension AgentSession {
    /// Carries out a change of an issuer on the generation it was confirmed for.
    ///
    /// The agent may have moved the issuer on meanwhile, such as by publishing a standby key after a rotation. It is looked at
    /// again then, and as long as the question would be the same, so is the answer.
    func callConfirmed<Parameters: RequestParameters>(
        _ status: IssuerStatus, question: (IssuerStatus) -> String?, _ parameters: (_ generation: Int) -> Parameters
    ) async throws -> Reply<Parameters.Result> {
        var generation = status.generation
        for _ in 1...3 {
            do {
                return try await call(parameters(generation))
            } catch let error as ProtocolError where error.reason == .conflict {
                let now = try await call(IssuerStatusParameters(issuer: status.name)).decoded()
                guard now.generation != generation, now.createdAt == status.createdAt, question(now) == question(status)
                else { throw error }
                generation = now.generation
            }
        }
        return try await call(parameters(generation))
    }
}
