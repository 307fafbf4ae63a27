public import StrictJSON

/// One line from the agent, as a client reads it.
///
/// Members, reasons and error codes that this version does not know are let through.
public enum AgentLine: Sendable {
    /// The result of the request with this id.
    case result(id: RequestID, JSONSlice)
    /// The error of the request with this id; nil when the agent could not read the id.
    case failure(id: RequestID?, ProtocolError)
    /// A notification; its params are nil when it has none.
    case notification(method: Method, params: JSONSlice?)

    /// Reads one line, without its LF (JSON-RPC 2.0 §4.1, §5).
    ///
    /// - Throws: ``MalformedLine``.
    public static func decode(_ line: [UInt8]) throws(MalformedLine) -> AgentLine {
        var members = Members()
        do throws(JSONError) {
            try members.scan(line)
        } catch {
            throw MalformedLine(message: "the agent's line is not JSON: \(error.message)")
        }
        if let error = members.error {
            return .failure(id: members.id, try protocolError(error))
        }
        if let result = members.result, let id = members.id {
            return .result(id: id, result)
        }
        if let method = members.method {
            return .notification(method: method, params: members.params)
        }
        throw MalformedLine(message: "the agent's line is neither a reply nor a notification")
    }

    private static func protocolError(_ slice: JSONSlice) throws(MalformedLine) -> ProtocolError {
        do throws(JSONError) {
            return ProtocolError(json: try JSONValue(parsing: slice))
        } catch {
            throw MalformedLine(message: "the agent's error is ambiguous: \(error.message)")
        }
    }

    private struct Members {
        var id: RequestID?
        var result: JSONSlice?
        var error: JSONSlice?
        var method: Method?
        var params: JSONSlice?

        mutating func scan(_ line: [UInt8]) throws(JSONError) {
            var scanner = JSONScanner(line, in: line.indices, checking: [])
            scanner.skipWhitespace()
            guard scanner.next == UInt8(ascii: "{") else {
                try scanner.skipValue()
                return try scanner.finish()
            }
            var object = try scanner.openObject()
            while let name = try scanner.nextMember(&object) {
                if scanner.string(name, is: "id") {
                    id = try RequestID(scanning: &scanner)
                } else if scanner.string(name, is: "result") {
                    result = try scanner.sliceValue()
                } else if scanner.string(name, is: "error") {
                    error = try scanner.sliceValue()
                } else if scanner.string(name, is: "method"), scanner.isAtString {
                    method = Method(rawValue: scanner.string(try scanner.scanString()))
                } else if scanner.string(name, is: "params") {
                    params = try scanner.sliceValue()
                } else {
                    try scanner.skipValue()
                }
            }
            try scanner.finish()
        }
    }
}

/// A line that no agent of this protocol writes: the other end is something else, or broken.
public struct MalformedLine: Error, Sendable, CustomStringConvertible {
    /// What is wrong with it, in one line.
    public let message: String

    public init(message: String) {
        self.message = message
    }

    public var description: String { message }
}
