import StrictJSON

/// Reply and notification lines as bytes, each with its LF. Always a whole line of at most ``ProtocolLimits/replyLine``
/// bytes: what cannot be encoded, or is too long, becomes an `INTERNAL` error.
public enum ReplyLine {
    /// The reply to a request that was done.
    public static func success(id: RequestID, result: some Encodable) -> [UInt8] {
        let value: JSONValue
        do {
            value = try JSONValue(encoding: result)
        } catch {
            return failure(id: id, ProtocolError(.internalError, "the result cannot be encoded"))
        }
        var text = JSONText(capacity: 512)
        begin(id, &text)
        text.append(raw: ",\"result\":")
        value.append(to: &text)
        return finish(text, id)
    }

    /// The reply to a request that failed; without an id when it could not be read.
    public static func failure(id: RequestID?, _ error: ProtocolError) -> [UInt8] {
        var text = JSONText(capacity: 256)
        begin(id, &text)
        text.append(raw: ",\"error\":")
        error.json.append(to: &text)
        return finish(text, id)
    }

    /// The reply to `sign`: the bytes of ``success(id:result:)`` of a ``SignResult``, spliced by hand.
    ///
    /// - Parameters:
    ///   - signingInput: The first two parts of a compact JWS with the dot between them (RFC 7515 §7.1); the first is `header`.
    ///   - signature: The third part.
    ///   - expiration: The JWT's `exp`, in seconds since 1970.
    public static func sign(
        id: RequestID, signingInput: [UInt8], signature: [UInt8], kid: String, algorithm: String, expiration: Int64
    ) -> [UInt8] {
        let header = signingInput.prefix { $0 != UInt8(ascii: ".") }
        var text = JSONText(capacity: signingInput.count + header.count + 2 * signature.count + 224)
        begin(id, &text)
        text.append(raw: ",\"result\":{\"jwt\":\"")
        text.append(raw: signingInput)
        text.append(raw: ".")
        text.append(raw: signature)
        text.append(raw: "\",\"header\":\"")
        text.append(raw: header)
        text.append(raw: "\",\"signature\":\"")
        text.append(raw: signature)
        text.append(raw: "\",\"kid\":")
        text.append(string: kid)
        text.append(raw: ",\"alg\":")
        text.append(string: algorithm)
        text.append(raw: ",\"expiresAt\":\"")
        text.append(raw: WireTime(seconds: expiration).text.utf8)
        text.append(raw: "\"}")
        return finish(text, id)
    }

    /// An `issuer-changed` notification.
    public static func notification(_ changes: IssuerChanges) -> [UInt8] {
        var text = JSONText(capacity: 256)
        text.append(raw: "{\"jsonrpc\":\"2.0\",\"method\":")
        text.append(string: IssuerChanges.method.rawValue)
        text.append(raw: ",\"params\":")
        changes.json.append(to: &text)
        text.append(raw: "}\n")
        return text.bytes
    }

    private static func begin(_ id: RequestID?, _ text: inout JSONText) {
        text.append(raw: "{\"jsonrpc\":\"2.0\",\"id\":")
        if let id {
            id.append(to: &text)
        } else {
            text.append(raw: "null")
        }
    }

    private static func finish(_ text: consuming JSONText, _ id: RequestID?) -> [UInt8] {
        // What was written and the brace to come.
        guard text.bytes.count + 1 <= ProtocolLimits.replyLine else {
            return failure(
                id: id,
                ProtocolError(
                    .internalError, "the result is longer than a reply line may be (\(ProtocolLimits.replyLine) bytes)",
                    hint: "ask for a smaller page with \"limit\""))
        }
        text.append(raw: "}\n")
        return text.bytes
    }
}
