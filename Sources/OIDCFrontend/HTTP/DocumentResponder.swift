import HTTPTypes
public import Hummingbird
import NIOCore

/// Answers every HTTP request: the documents of the publication, `/healthz` and `/readyz`.
///
/// The path alone selects a document; the frontend may stand behind any host name. Request bodies are not looked at. Nothing
/// here parses or writes JSON: what goes out are the agent's bytes.
public struct DocumentResponder: HTTPResponder {
    /// Hummingbird's own, as nothing is kept for a request.
    public typealias Context = BasicRequestContext

    private let publication: LivePublication
    private let staleAfter: Int64

    /// `/readyz` turns unready when the agent's last word is more than `staleAfter` seconds old.
    public init(publication: LivePublication, staleAfter: Int64) {
        self.publication = publication
        self.staleAfter = staleAfter
    }

    /// Never throws; an unknown path is a 404.
    public func respond(to request: Request, context: Context) async throws -> Response {
        switch request.uri.path {
        case "/healthz":
            return answer(request) { .line(.ok, "ok") }
        case "/readyz":
            return answer(request) {
                let readiness = publication.readiness(staleAfter: staleAfter)
                return .line(readiness == .ready ? .ok : .serviceUnavailable, readiness.reason)
            }
        case let path:
            guard let document = publication.document(at: path) else {
                return withoutBodyForHead(request, .line(.notFound, "not found"))
            }
            return answer(request) { serve(document, to: request) }
        }
    }

    /// What `get` makes, for the two methods there are.
    private func answer(_ request: Request, _ get: () -> Response) -> Response {
        guard request.method == .get || request.method == .head else {
            var refusal = Response.line(.methodNotAllowed, "method not allowed")
            refusal.headers[.allow] = "GET, HEAD"
            return refusal
        }
        return withoutBodyForHead(request, get())
    }

    /// HEAD gets the header of GET, Content-Length included, and no body (RFC 9110 §9.3.2).
    private func withoutBodyForHead(_ request: Request, _ response: Response) -> Response {
        request.method == .head ? response.createHeadResponse() : response
    }

    private func serve(_ document: PublishedDocument, to request: Request) -> Response {
        var headers: HTTPFields = [
            .cacheControl: "public, max-age=\(document.maximumAge)",
            .eTag: document.etag,
            .xContentTypeOptions: "nosniff",
            // Relying parties in browsers read the documents as well; there is nothing private in them.
            .accessControlAllowOrigin: "*",
        ]
        let conditions = request.headers[values: .ifNoneMatch]
        if !conditions.isEmpty, EntityTagCondition(conditions.joined(separator: ",")).matches(document.etag) {
            // RFC 9110 §8.6: in a 304, Content-Length would have to be that of the document.
            headers[.contentLength] = String(document.body.readableBytes)
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = document.kind.mediaType
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: document.body))
    }
}

extension Response {
    /// One line of text that no cache keeps.
    fileprivate static func line(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status,
            headers: [
                .contentType: "text/plain; charset=utf-8",
                .cacheControl: "no-store",
                .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}
