public import StrictJSON

/// One request line, its envelope read and its `params` left as they came.
public struct Request: Sendable {
    public let id: RequestID
    public let method: Method
    /// A JSON object; nil when the request has none.
    public let params: JSONSlice?

    public init(id: RequestID, method: Method, params: JSONSlice?) {
        self.id = id
        self.method = method
        self.params = params
    }

    /// Reads one line, without its LF (JSON-RPC 2.0 §4). The members may come in any order.
    ///
    /// The whole line is checked for UTF-8, grammar and depth; repeated names and number ranges inside `params` are left to
    /// whoever reads those.
    ///
    /// - Throws: ``RequestFailure``: `PARSE_ERROR` for what is no JSON, an empty line included; `INVALID_REQUEST` for what is
    ///   no request, batches and notifications included; `INVALID_PARAMS` for `params` that are no object.
    public static func decode(_ line: [UInt8]) throws(RequestFailure) -> Request {
        var scanner = JSONScanner(line, in: line.indices, checking: [])
        var envelope = RequestEnvelope()
        do throws(JSONError) {
            scanner.skipWhitespace()
            if scanner.next == UInt8(ascii: "{") {
                try envelope.scan(&scanner)
            } else {
                envelope.refuse(
                    scanner.next == UInt8(ascii: "[") ? "batches are not served" : "a request must be a JSON object")
                try scanner.skipValue()
            }
            try scanner.finish()
        } catch  where error.code == .tooDeep {
            throw RequestFailure(id: envelope.id, error: ProtocolError(.invalidRequest, error.message))
        } catch {
            throw RequestFailure(id: nil, error: ProtocolError(.parseError, "the line is not JSON: \(error.message)"))
        }
        return try envelope.request()
    }

    /// The line of a request, its LF included.
    public static func encode(id: RequestID, method: Method, params: JSONSlice?) -> [UInt8] {
        var text = JSONText(capacity: 64 + (params?.range.count ?? 0))
        text.append(raw: "{\"jsonrpc\":\"2.0\",\"id\":")
        id.append(to: &text)
        text.append(raw: ",\"method\":")
        text.append(string: method.rawValue)
        if let params {
            text.append(raw: ",\"params\":")
            // An LF between values would end the line early; inside strings JSON has none.
            text.append(raw: params.bytes.lazy.map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: " ") : $0 })
        }
        text.append(raw: "}\n")
        return text.bytes
    }
}

/// Why a line is no request, and the id to reply to.
public struct RequestFailure: Error, Sendable {
    /// Nil when it could not be read: the reply then has `"id":null`.
    public let id: RequestID?
    public let error: ProtocolError

    public init(id: RequestID?, error: ProtocolError) {
        self.id = id
        self.error = error
    }
}

/// A request's members as far as they have been read, and the first thing that is wrong with them.
private struct RequestEnvelope {
    private(set) var id: RequestID?
    private var method: Method?
    private var params: JSONSlice?
    private var seen: Members = []
    private var failure: ProtocolError?

    private struct Members: OptionSet {
        let rawValue: UInt8
        static let jsonrpc = Members(rawValue: 1)
        static let id = Members(rawValue: 2)
        static let method = Members(rawValue: 4)
        static let params = Members(rawValue: 8)
    }

    mutating func refuse(_ message: String, _ reason: Reason = .invalidRequest, hint: String? = nil) {
        failure = failure ?? ProtocolError(reason, message, hint: hint)
    }

    mutating func scan(_ scanner: inout JSONScanner) throws(JSONError) {
        var object = try scanner.openObject()
        while let name = try scanner.nextMember(&object) {
            if scanner.string(name, is: "jsonrpc") {
                note(.jsonrpc, "jsonrpc")
                guard scanner.isAtString else {
                    refuse(Self.wrongVersion)
                    try scanner.skipValue()
                    continue
                }
                if !scanner.string(try scanner.scanString(), is: "2.0") {
                    refuse(Self.wrongVersion)
                }
            } else if scanner.string(name, is: "id") {
                let isRepeated = seen.contains(.id)
                note(.id, "id")
                let scanned = try RequestID(scanning: &scanner)
                if scanned == nil {
                    refuse("\"id\" must be a string or an integer")
                }
                id = isRepeated ? nil : scanned
            } else if scanner.string(name, is: "method") {
                note(.method, "method")
                guard scanner.isAtString else {
                    refuse("\"method\" must be a string")
                    try scanner.skipValue()
                    continue
                }
                method = Method(rawValue: scanner.string(try scanner.scanString()))
            } else if scanner.string(name, is: "params") {
                note(.params, "params")
                let slice = try scanner.sliceValue()
                params = slice
                if !slice.isObject {
                    refuse("\"params\" must be an object", .invalidParams, hint: "give the parameters by name")
                }
            } else {
                let text = scanner.string(name)
                let near = nearest(to: text, among: Self.names)
                refuse("unknown request member \(quoted(text))", hint: near.map { "did you mean \"\($0)\"?" })
                try scanner.skipValue()
            }
        }
    }

    func request() throws(RequestFailure) -> Request {
        if let failure {
            throw RequestFailure(id: id, error: failure)
        }
        guard seen.contains(.jsonrpc) else { throw invalid(Self.wrongVersion) }
        guard let id else { throw invalid("a request must have an \"id\": notifications are not served") }
        guard let method else { throw invalid("a request must have a \"method\"") }
        return Request(id: id, method: method, params: params)
    }

    private mutating func note(_ member: Members, _ name: String) {
        if !seen.insert(member).inserted {
            refuse("repeated request member \"\(name)\"")
        }
    }

    private func invalid(_ message: String) -> RequestFailure {
        RequestFailure(id: id, error: ProtocolError(.invalidRequest, message))
    }

    private static let wrongVersion = "\"jsonrpc\" must be \"2.0\""
    private static let names = ["jsonrpc", "id", "method", "params"]
}
