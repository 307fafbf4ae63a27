import NIOCore
import NIOHTTP1
import Platform

/// Decides on the answer to every HTTP request: the documents of the publication, `/healthz` and `/readyz`.
///
/// The path alone selects a document; the frontend may stand behind any host name. Request bodies are not looked at. Nothing
/// here parses or writes JSON: what goes out are the agent's bytes.
public struct DocumentResponder: Sendable {
    private let publication: LivePublication
    private let servesDocuments: Bool
    private let notice: @Sendable () -> String?
    private let metrics: (@Sendable () -> String)?

    /// `/readyz` says whether the publication is ready. Without documents, that and `/healthz` are all there is.
    ///
    /// `notice` is what `/readyz` says of a frontend that is ready and needs attention. `metrics` is in Prometheus text format,
    /// for `/metrics`, which there is not without.
    public init(
        publication: LivePublication, servesDocuments: Bool = true,
        notice: @escaping @Sendable () -> String? = { nil }, metrics: (@Sendable () -> String)? = nil
    ) {
        self.notice = notice
        self.metrics = metrics
        self.publication = publication
        self.servesDocuments = servesDocuments
    }

    /// The paths of the frontend itself, which no document has.
    static let ownPaths: Set = ["/healthz", "/readyz"]
    private static let metricsPath = "/metrics"

    /// The wall clock that the publication goes by.
    var time: Moment { publication.time }

    /// An unknown path is a 404. HEAD gets what GET does; it is for the connection to leave out the body.
    func answer(_ request: HTTPRequestHead) -> Answer {
        let path = request.path
        let document = servesDocuments ? publication.document(at: path) : nil
        let metrics = path == Self.metricsPath ? metrics : nil
        let isElsewhere = document == nil && metrics == nil && !Self.ownPaths.contains(path)
        // CONNECT and OPTIONS have targets that are no path.
        guard !isElsewhere || request.method == .CONNECT || path == "*" else {
            var nothing = Answer.line(.notFound, "not found")
            // So that a script in a browser sees that it is not there, and not only that something went wrong.
            if servesDocuments { nothing.fields.add(name: "Access-Control-Allow-Origin", value: "*") }
            return nothing
        }
        if document != nil, request.method == .OPTIONS { return .documentOptions }
        guard request.method == .GET || request.method == .HEAD else {
            var refusal = Answer.line(.methodNotAllowed, "method not allowed")
            refusal.fields.add(name: "Allow", value: document == nil ? "GET, HEAD" : "GET, HEAD, OPTIONS")
            return refusal
        }
        if let document { return serve(document, to: request) }
        if let metrics {
            var answer = Answer.line(.ok, metrics())
            answer.fields.replaceOrAdd(name: "Content-Type", value: "text/plain; version=0.0.4; charset=utf-8")
            return answer
        }
        guard path == "/readyz" else { return .line(.ok, "ok") }
        let readiness = publication.readiness
        let line = [readiness.reason, notice()].compactMap(\.self).joined(separator: "; ")
        return .line(readiness == .ready ? .ok : .serviceUnavailable, line)
    }

    private func serve(_ document: PublishedDocument, to request: HTTPRequestHead) -> Answer {
        let conditions = request.headers["If-None-Match"]
        if !conditions.isEmpty, EntityTagCondition(conditions.joined(separator: ",")).matches(document.etag) {
            return Answer(status: .notModified, fields: document.fields, body: nil)
        }
        var fields = document.fields
        fields.add(name: "Content-Type", value: document.kind.mediaType)
        return Answer(status: .ok, fields: fields, body: document.body)
    }
}

/// What goes out for a request, but for what the connection adds: Date, and Connection where it needs saying.
struct Answer {
    var status: HTTPResponseStatus
    var fields: HTTPHeaders
    var body: ByteBuffer?

    /// What may be done with a document (RFC 9110 §9.3.7), to scripts of any origin: also the answer to a CORS preflight (Fetch
    /// §3.3.3). A wildcard does not cover `Authorization`, and older browsers know none.
    static let documentOptions = Answer(
        status: .noContent,
        fields: [
            "Allow": "GET, HEAD, OPTIONS",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "GET, HEAD",
            "Access-Control-Allow-Headers": "*, Authorization, Cache-Control, If-None-Match",
            "Access-Control-Max-Age": "86400",
            "X-Content-Type-Options": "nosniff",
        ],
        body: nil)

    /// One line of text that no cache keeps.
    static func line(_ status: HTTPResponseStatus, _ text: String) -> Answer {
        Answer(
            status: status,
            fields: [
                "Content-Type": "text/plain; charset=utf-8",
                "Content-Length": "\(text.utf8.count + 1)",
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            ],
            body: ByteBuffer(string: text + "\n"))
    }
}

extension HTTPRequestHead {
    /// The path of the request's target, which may be a whole URL (RFC 9112 §3.2), without its query.
    var path: String {
        let target = uri.utf8.first == UInt8(ascii: "/") ? uri[...] : WebURL(uri)?.rest ?? uri[...]
        return String(target.utf8.firstIndex(of: UInt8(ascii: "?")).map { target[..<$0] } ?? target)
    }
}
