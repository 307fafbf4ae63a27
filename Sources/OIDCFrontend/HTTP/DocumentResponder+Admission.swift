import NIOHTTP1
import Platform

extension DocumentResponder {
    /// What is to be done with a request once its head is there.
    enum Admission {
        /// Take the rest of it, and answer.
        case request
        /// The same, and the client waits to be told to go on (RFC 9110 §10.1.1).
        case requestToContinue
        /// Answer at once, and nothing further.
        case refused(Answer)
    }

    /// Refuses what is not to be answered by its path, and what a client that asks before it sends its body would send in vain.
    func admit(_ request: HTTPRequestHead) -> Admission {
        guard request.hasSoundHost, request.hasSoundTarget, request.hasSoundFraming else { return .refused(.badRequest) }
        guard request.contentLength <= RequestLimits.body else { return .refused(.contentTooLarge) }
        // HTTP/1.0 has no expectations.
        let expectations = request.version == .http1_0 ? [] : request.headers[canonicalForm: "Expect"]
        guard expectations.allSatisfy({ $0.lowercased() == "100-continue" }) else {
            return .refused(.line(.expectationFailed, "expectation failed"))
        }
        guard !expectations.isEmpty, request.hasBody else { return .request }
        let answer = answer(request)
        return answer.status.code < 400 ? .requestToContinue : .refused(answer)
    }
}

extension Answer {
    static let badRequest = line(.badRequest, "bad request")
    static let contentTooLarge = line(.payloadTooLarge, "content too large")
}

extension HTTPRequestHead {
    /// Whether there is one `Host` field, which HTTP/1.0 may do without, that names a host (RFC 9112 §3.2).
    fileprivate var hasSoundHost: Bool {
        let hosts = headers["Host"]
        guard let host = hosts.first else { return version == .http1_0 }
        // Empty where the target has no authority (RFC 9110 §7.2).
        return hosts.count == 1 && (host.isEmpty || Authority.isSound(host[...]))
    }

    /// Whether the target has one of the four forms of RFC 9112 §3.2, the one that goes with its method.
    fileprivate var hasSoundTarget: Bool {
        if method == .CONNECT { return Authority.isSound(uri[...]) }
        if uri == "*" { return method == .OPTIONS }
        return uri.utf8.first == UInt8(ascii: "/") || WebURL(uri) != nil
    }

    /// Whether it is sure where the body ends: HTTP/1.0 knows no `Transfer-Encoding` (RFC 9112 §6.1). The decoder refuses what else
    /// is ambiguous.
    fileprivate var hasSoundFraming: Bool {
        version != .http1_0 || !headers.contains(name: "Transfer-Encoding")
    }

    fileprivate var hasBody: Bool { contentLength > 0 || headers.contains(name: "Transfer-Encoding") }

    /// 0 without the field; the decoder has refused what is no number.
    fileprivate var contentLength: Int { headers.first(name: "Content-Length").map { Int($0) ?? .max } ?? 0 }

    /// Whether the decoder takes what follows for another protocol (RFC 9110 §7.8 and §9.3.6); none is spoken here.
    var asksForAnotherProtocol: Bool {
        method == .CONNECT
            || headers.contains(name: "Upgrade")
                && headers[canonicalForm: "Connection"].contains { $0.lowercased() == "upgrade" }
    }
}
