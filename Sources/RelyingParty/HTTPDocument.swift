import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Gets one document over HTTP(S), of bounded size and in bounded time.
enum HTTPDocument {
    /// As browsers do, and more than any issuer needs.
    private static let redirections = 5

    static func fetch(
        _ url: URL, maximumSize: Int, timeout: Duration, authorities: CertificateAuthorities, proxies: ProxySettings
    ) async throws -> FetchedDocument {
        try await withThrowingTaskGroup(of: FetchedDocument.self) { group in
            group.addTask { try await follow(url, maximumSize, authorities, proxies) }
            group.addTask {
                // The whole exchange is bounded, redirections and a server that goes on sending included.
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

    /// Follows redirections, unless one leads from https to anything else: then its 3xx is the answer.
    private static func follow(
        _ first: URL, _ maximumSize: Int, _ authorities: CertificateAuthorities, _ proxies: ProxySettings
    ) async throws -> FetchedDocument {
        var url = first
        for _ in 0...redirections {
            var configuration = HTTPClient.Configuration()
            configuration.tlsConfiguration = .makeClientConfiguration()
            configuration.tlsConfiguration?.trustRoots = try authorities.trustRoots()
            configuration.proxy = try proxies.proxy(for: url)
            configuration.redirectConfiguration = .disallow
            configuration.httpVersion = .http1Only
            // What went wrong at first says more than that nothing came of it in ten seconds.
            configuration.connectionPool.retryConnectionEstablishment = false
            let (document, location) = try await exchange(url, maximumSize, configuration)
            guard [301, 302, 303, 307, 308].contains(document.status),
                let next = location.flatMap({ URL(string: $0, relativeTo: url)?.absoluteURL }),
                next.scheme?.lowercased() == "https" || next.scheme?.lowercased() == "http" && !isSecure(url)
            else { return document }
            url = next
        }
        throw VerificationError(
            .httpStatus, "\(first.absoluteString) leads from one redirection to the next",
            hint: "Look into the configuration of the server that answers there.")
    }

    private static func exchange(
        _ url: URL, _ maximumSize: Int, _ configuration: HTTPClient.Configuration
    ) async throws -> (FetchedDocument, location: String?) {
        do {
            return try await withClient(configuration) { client in
                var request = HTTPClientRequest(url: url.absoluteString)
                request.headers = ["Accept": "application/json, application/jwk-set+json", "User-Agent": "privyseal"]
                let response = try await client.execute(request, deadline: .distantFuture)
                var body: [UInt8] = []
                for try await part in response.body {
                    guard body.count + part.readableBytes <= maximumSize else { throw tooLarge(url, maximumSize) }
                    body += part.readableBytesView
                }
                return (
                    FetchedDocument(
                        status: Int(response.status.code), contentType: response.headers.first(name: "Content-Type"), body: body),
                    response.headers.first(name: "Location")
                )
            }
        } catch let error as NIOSSLError {
            throw await TLSFault.explanation(of: error, at: url, configuration)
        } catch let error as NIOSSLExtraError where error == .failedToValidateHostname {
            throw TLSFault.otherName(url, error)
        }
    }

    /// A client for one exchange, whose connection is closed when that has ended, however it did.
    static func withClient<Value>(
        _ configuration: HTTPClient.Configuration, _ body: (HTTPClient) async throws -> Value
    ) async throws -> Value {
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let value = try await body(client)
            try? await client.shutdown()
            return value
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private static func isSecure(_ url: URL) -> Bool { url.scheme?.lowercased() == "https" }

    /// What went wrong on the way, in one line.
    static func text(of error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return text(of: first.error) }
            return "there is no host \(error.host)"
        case let error as IOError: return error.description
        case let error as HTTPClientError: return error.shortDescription
        default: return "\(error)".replacing("\n", with: " ")
        }
    }
}
