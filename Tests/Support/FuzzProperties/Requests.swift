import AgentProtocol

extension FuzzTarget {
    /// One line as a caller sends it, without its LF.
    static let request = FuzzTarget("request", "a request line, and the parameters of every method", longestInput: 4_096) {
        line throws(Violation) in
        let plain = PlainJSON.read(line)
        let request: Request
        do throws(RequestFailure) {
            request = try Request.decode(line)
        } catch {
            return try Self.check(error, plain)
        }
        let members = try require(plain?.members, "a request that is no JSON object was taken")
        try require(Set(members.map(\.name)).count == members.count, "a request with a repeated member was taken")
        try require(plain?["jsonrpc"]?.text == Array("2.0".utf8), "a request of another version was taken")
        try require(plain?["method"]?.text == Array(request.method.rawValue.utf8), "the method is another")
        try require(Self.isID(plain?["id"]), "a request without an id that can be echoed was taken")
        try require(PlainJSON.read(Array(request.id.description.utf8)) == plain?["id"], "the id is another")
        try require(
            request.params.flatMap { PlainJSON.read(Array($0.bytes)) } == plain?["params"], "the parameters are others")
        try Self.checkEncoding(of: request)
        try Self.checkParameters(of: request)
    }

    private static func isID(_ value: PlainJSON?) -> Bool {
        switch value {
        case .string: true
        case .number(let text): !text.contains { ".eE".contains($0) }
        default: false
        }
    }

    /// A refusal, and the reply that is made of it.
    private static func check(_ failure: RequestFailure, _ plain: PlainJSON?) throws(Violation) {
        let reasons: [Reason] = [.parseError, .invalidRequest, .invalidParams]
        try require(reasons.contains(failure.error.reason), "\(failure.error.reason) is no refusal of a request line")
        let isParseError = failure.error.reason == .parseError
        if let plain, plain.depth <= ProtocolLimits.depth {
            try require(!isParseError, "JSON was refused as being none: \(failure.error.message)")
        }
        if plain == nil, isParseError { try require(failure.id == nil, "an id was read from what is no JSON") }
        try checkLine(ReplyLine.failure(id: failure.id, failure.error), failure.id, failure.error)
    }

    /// Every error becomes one line that says the same.
    static func checkLine(_ line: [UInt8], _ id: RequestID?, _ error: ProtocolError) throws(Violation) {
        try require(line.firstIndex(of: UInt8(ascii: "\n")) == line.count - 1, "the reply is not one line")
        try require(line.count <= ProtocolLimits.replyLine + 1, "the reply line is too long")
        try require(isOneLine(error.message), "the message is not one line: \(error.message.debugDescription)")
        if let hint = error.hint { try require(isOneLine(hint), "the hint is not one line: \(hint.debugDescription)") }
        guard PlainJSON.read(Array(line.dropLast()))?.hasUniqueNames == true,
            let decoded = try? AgentLine.decode(Array(line.dropLast())), case .failure(id, let read) = decoded
        else { throw Violation("the reply cannot be read as the error of this request") }
        try require(
            read.reason == error.reason && read.message == error.message && read.hint == error.hint
                && read.retryable == error.retryable, "the reply says another error")
    }

    private static func checkEncoding(of request: Request) throws(Violation) {
        let line = Request.encode(id: request.id, method: request.method, params: request.params)
        try require(line.firstIndex(of: UInt8(ascii: "\n")) == line.count - 1, "a request was not encoded as one line")
        guard let again = try? Request.decode(Array(line.dropLast())) else { throw Violation("an encoded request is refused") }
        try require(again.id == request.id && again.method == request.method, "an encoded request is another")
        try require(
            again.params.flatMap { PlainJSON.read(Array($0.bytes)) }
                == request.params.flatMap { PlainJSON.read(Array($0.bytes)) },
            "the parameters of an encoded request are others")
    }

    /// Every method's decoder sees the parameters, whatever method the line names.
    private static func checkParameters(of request: Request) throws(Violation) {
        try check(IssuerCreateParameters.self, request)
        try check(IssuerUpdateParameters.self, request)
        try check(IssuerDeleteParameters.self, request)
        try check(IssuerListParameters.self, request)
        try check(IssuerStatusParameters.self, request)
        try check(ListKeysParameters.self, request)
        try check(RotateParameters.self, request)
        try check(RevokeKeyParameters.self, request)
        try check(GetDiscoveryParameters.self, request)
        try check(ReconcileParameters.self, request)
        try check(StoreSaveParameters.self, request)
        try check(WatchParameters.self, request)
        try check(HealthParameters.self, request)
    }

    /// What is taken means what it says: encoded and read again it is the same.
    private static func check<Parameters: RequestParameters>(
        _ type: Parameters.Type, _ request: Request
    ) throws(Violation) {
        let parameters: Parameters
        do throws(ProtocolError) {
            parameters = try ParameterDecoder.decode(type, from: request.params)
        } catch {
            try require(error.reason == .invalidParams, "\(error.reason) is no refusal of parameters")
            return try checkLine(ReplyLine.failure(id: request.id, error), request.id, error)
        }
        guard let value = try? JSONValue(encoding: parameters) else { throw Violation("\(type) cannot be encoded") }
        let plain = request.params.flatMap { PlainJSON.read(Array($0.bytes)) }
        let named = (plain?.members ?? []).filter { $0.value != .literal("null") }.map(\.name)
        try require(
            Set(named) == Set((value.members ?? []).map { Array($0.name.utf8) }), "\(type) has not the members that were given")
        guard let again = try? ParameterDecoder.decode(type, from: JSONSlice(value)) else {
            throw Violation("\(type) is refused when it is sent again")
        }
        try require((try? JSONValue(encoding: again)) == value, "\(type) is another when it is read again")
    }
}
