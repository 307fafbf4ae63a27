import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Gets one document over HTTP(S), of bounded size and in bounded time.
///
/// Fetches at the same time share one queue inside URLSession on Linux, where a server that sends without a pause holds up
/// the others until its turn to be cancelled comes.
enum HTTPDocument {
    static func fetch(_ url: URL, maximumSize: Int, timeout: Duration) async throws -> FetchedDocument {
        try await withThrowingTaskGroup(of: FetchedDocument.self) { group in
            group.addTask { try await fetch(url, maximumSize: maximumSize) }
            group.addTask {
                // The whole exchange is bounded: URLSession's own timeout starts again with every byte.
                try await Task.sleep(for: timeout)
                throw VerificationError(
                    .unreachable, "\(url.absoluteString) did not answer within \(timeout)",
                    hint: "Check that the issuer is running, and that no firewall drops the connection.")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    static func tooLarge(_ url: URL, _ maximumSize: Int) -> VerificationError {
        VerificationError(
            .documentTooLarge, "the document at \(url.absoluteString) has more than \(maximumSize) bytes",
            hint: "Check that an OIDC issuer answers there.")
    }

    private static func fetch(_ url: URL, maximumSize: Int) async throws -> FetchedDocument {
        let (events, continuation) = AsyncThrowingStream.makeStream(of: Event.self)
        let configuration = URLSessionConfiguration.ephemeral
        configuration.urlCache = nil
        let session = URLSession(configuration: configuration, delegate: Exchange(continuation), delegateQueue: nil)
        // The session holds its delegate, and so the connection, until it is invalidated.
        defer { session.invalidateAndCancel() }
        var request = URLRequest(url: url)
        request.setValue("application/json, application/jwk-set+json", forHTTPHeaderField: "Accept")
        session.dataTask(with: request).resume()

        var status = 0
        var contentType: String?
        var body: [UInt8] = []
        for try await event in events {
            switch event {
            case .response(let code, let type):
                status = code
                contentType = type
            case .data(let data):
                guard body.count + data.count <= maximumSize else { throw tooLarge(url, maximumSize) }
                body += data
            }
        }
        try Task.checkCancellation()
        return FetchedDocument(status: status, contentType: contentType, body: body)
    }

    private enum Event: Sendable {
        case response(status: Int, contentType: String?)
        case data(Data)
    }

    /// Passes what happens on the connection on to the one who reads.
    private final class Exchange: NSObject, URLSessionDataDelegate {
        private let continuation: AsyncThrowingStream<Event, any Error>.Continuation

        init(_ continuation: AsyncThrowingStream<Event, any Error>.Continuation) {
            self.continuation = continuation
        }

        func urlSession(
            _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
            completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
        ) {
            let response = response as? HTTPURLResponse
            continuation.yield(
                .response(
                    status: response?.statusCode ?? 0,
                    contentType: response?.value(forHTTPHeaderField: "Content-Type")))
            completionHandler(.allow)
        }

        func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
            continuation.yield(.data(data))
        }

        /// Follows a redirection unless it leads from https to http: then its 3xx is the answer.
        func urlSession(
            _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
            newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
        ) {
            let wasSecure = response.url?.scheme?.lowercased() == "https"
            let isSecure = request.url?.scheme?.lowercased() == "https"
            completionHandler(wasSecure && !isSecure ? nil : request)
        }

        func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
            continuation.finish(throwing: error)
        }
    }
}
