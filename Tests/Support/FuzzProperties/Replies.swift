import AgentProtocol

extension FuzzTarget {
    /// One line as whatever listens on the socket may send it to a client, without its LF.
    static let reply = FuzzTarget("reply", "reading an agent's line and the results of every method", longestInput: 4_096) {
        line throws(Violation) in
        let decoded: AgentLine
        do throws(MalformedLine) {
            decoded = try AgentLine.decode(line)
        } catch {
            return try require(isOneLine(error.message), "the message is not one line")
        }
        try require(PlainJSON.read(line)?.members != nil, "a line that is no JSON object was taken")
        switch decoded {
        case .failure(_, let error):
            // What is passed on is still an error that others can read, whatever was in it.
            let again = ProtocolError(json: error.json)
            try require(
                again.reason == error.reason && again.code == error.code && again.message == error.message
                    && again.retryable == error.retryable && again.hint == error.hint && again.details == error.details,
                "an error that is passed on is another")
        case .result(_, let slice):
            guard let value = try? JSONValue(parsing: slice) else { return }
            try Self.checkResults(value)
        case .notification(_, let params):
            guard let params, let value = try? JSONValue(parsing: params) else { return }
            try Self.check(IssuerChanges.self, value)
        }
    }

    private static func checkResults(_ value: JSONValue) throws(Violation) {
        try check(SignResult.self, value)
        try check(KeyList.self, value)
        try check(RotationResult.self, value)
        try check(IssuerChangeResult.self, value)
        try check(IssuerDeleteResult.self, value)
        try check(IssuerList.self, value)
        try check(IssuerStatus.self, value)
        try check(DiscoveryResult.self, value)
        try check(WatchSnapshot.self, value)
        try check(Health.self, value)
        try check(VersionResult.self, value)
        try check(ReconcileResult.self, value)
    }

    /// A result that is taken keeps its meaning when it is written down, as the client does with `-o json`.
    private static func check<Result: Codable>(_ type: Result.Type, _ value: JSONValue) throws(Violation) {
        guard let result = try? value.decode(type) else { return }
        guard let written = try? JSONValue(encoding: result) else { throw Violation("\(type) cannot be encoded") }
        guard let again = try? written.decode(type) else { throw Violation("\(type) is refused when it is read again") }
        try require((try? JSONValue(encoding: again)) == written, "\(type) is another when it is read again")
    }
}
