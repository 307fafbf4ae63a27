public import StrictJSON

extension ProtocolError {
    /// The value of a reply's `error` (JSON-RPC 2.0 §5.1).
    public var json: JSONValue {
        var data = [
            JSONValue.Member("reason", .string(reason.rawValue)),
            JSONValue.Member("retryable", .bool(retryable)),
        ]
        if let hint {
            data.append(JSONValue.Member("hint", .string(hint)))
        }
        for (name, value) in details.sorted(by: { $0.key < $1.key }) where !Self.ownMembers.contains(name) {
            data.append(JSONValue.Member(name, value))
        }
        return [
            "code": .integer(Int64(code)), "message": .string(message), "data": .object(data),
        ]
    }

    /// Reads the value of a reply's `error`, whoever wrote it: what is missing is derived from the code, an unknown reason
    /// is kept.
    public init(json: JSONValue) {
        let code = json["code"]?.integer.flatMap(Int.init(exactly:)) ?? Reason.internalError.code
        let data = json["data"]
        let reason =
            data?["reason"]?.string.map(Reason.init(rawValue:)) ?? Reason.all.first { $0.code == code }?.reason
            ?? .internalError
        let details = (data?.members ?? []).filter { !Self.ownMembers.contains($0.name) }
        self.init(
            code: code, message: json["message"]?.string ?? "the agent gave no message", reason: reason,
            retryable: data?["retryable"]?.bool ?? reason.isRetryable, hint: data?["hint"]?.string,
            details: Dictionary(details.map { ($0.name, $0.value) }) { first, _ in first })
    }

    private static let ownMembers: Set<String> = ["reason", "retryable", "hint"]
}
