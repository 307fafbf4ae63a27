public import StrictJSON

/// Reads the `params` of every method but `sign`, whose claims must keep their bytes.
public enum ParameterDecoder {
    /// The parameters that `params` hold; absent `params` are an empty object, and a member that is `null` is an absent one.
    ///
    /// - Throws: `INVALID_PARAMS`, naming the member that is unknown, missing, repeated or of another type.
    public static func decode<P: RequestParameters>(
        _ type: P.Type = P.self, from params: JSONSlice?
    ) throws(ProtocolError) -> P {
        let value = try params.map { slice throws(ProtocolError) in try parse(slice) } ?? .object([])
        for member in value.members ?? [] where !P.memberNames.contains(member.name) {
            throw unknown(member.name, method: P.method, known: P.memberNames)
        }
        do {
            return try value.decode(type)
        } catch let error as DecodingError {
            throw ProtocolError(.invalidParams, message(for: error))
        } catch {
            throw ProtocolError(.invalidParams, "the parameters are not those of \"\(P.method)\"")
        }
    }

    static func unknown(_ name: String, method: Method, known: [String]) -> ProtocolError {
        let hint =
            if let near = nearest(to: name, among: known) {
                "did you mean \"\(near)\"?"
            } else if known.isEmpty {
                "\"\(method)\" takes no parameters"
            } else {
                "\"\(method)\" takes \(known.joined(separator: ", "))"
            }
        return ProtocolError(.invalidParams, "unknown parameter \(quoted(name))", hint: hint)
    }

    static func missing(_ name: String) -> ProtocolError {
        ProtocolError(.invalidParams, "missing parameter \"\(name)\"")
    }

    static func mistyped(_ name: String, _ expected: String) -> ProtocolError {
        ProtocolError(.invalidParams, "parameter \"\(name)\" must be \(expected)")
    }

    private static func parse(_ slice: JSONSlice) throws(ProtocolError) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue(parsing: slice)
        } catch {
            throw ProtocolError(.invalidParams, "the parameters are ambiguous: \(error.message)")
        }
    }

    private static func message(for error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context):
            missing(path(context.codingPath + [key])).message
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            mistyped(path(context.codingPath), context.debugDescription).message
        @unknown default:
            "the parameters cannot be read"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.map(\.stringValue).joined(separator: ".")
    }
}
