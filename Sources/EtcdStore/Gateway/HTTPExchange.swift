import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Platform

/// What a member sent, whatever its status.
struct HTTPAnswer: Sendable {
    let status: Int
    let body: [UInt8]
}

/// Why a member sent nothing that is complete.
struct AttemptFailure: Error {
    /// Whether the request may have reached it.
    let mayHaveArrived: Bool
    let code: EtcdError.Code
    let text: String
    var hint = "check that etcd runs there and that this machine reaches its client port"
    var cause: (any Error)?
}

/// Requests to one member at a time over HTTP/1.1: HTTP/2 would be chosen by itself, and starves watches.
final class HTTPExchange: Sendable {
    private let client: HTTPClient
    private let limit: Int
    private let underWay = Locked(0)

    /// - Parameter idle: how long a connection may be silent within an answer; `nil` where the whole exchange is bounded.
    init(_ access: EtcdAccess, _ tls: TLSConfiguration, idle: Duration? = nil) {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: TimeAmount(access.limits.connect), read: idle.map { TimeAmount($0) })
        // Another member is asked instead.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        limit = access.limits.answer
    }

    /// Whether nothing is under way.
    var isIdle: Bool { underWay.withLock { $0 == 0 } }

    func begin() { underWay.withLock { $0 += 1 } }
    func end() { underWay.withLock { $0 -= 1 } }

    func shutdown() async {
        try? await client.shutdown()
    }

    deinit {
        // One that was left open on the way out of an error would end the process in a debug build.
        client.shutdown { _ in }
    }

    /// - Throws: `AttemptFailure`, or `CancellationError` when this side gave up.
    func get(_ url: String, within time: Duration) async throws -> HTTPAnswer {
        try await answer(HTTPClientRequest(url: url), within: time)
    }

    /// - Throws: `AttemptFailure`, or `CancellationError` when this side gave up.
    func post(_ url: String, _ body: [UInt8], token: String?, within time: Duration) async throws -> HTTPAnswer {
        try await answer(Self.request(url, body, token), within: time)
    }

    /// An answer whose body goes on. The body ends with the task that reads it, which has said `begin` and says `end` then.
    ///
    /// - Throws: `AttemptFailure`.
    func stream(_ url: String, _ body: [UInt8], token: String?) async throws -> HTTPClientResponse {
        do {
            return try await client.execute(Self.request(url, body, token), deadline: .distantFuture)
        } catch {
            throw Self.failure(of: error)
        }
    }

    private static func request(_ url: String, _ body: [UInt8], _ token: String?) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = ["Content-Type": "application/json"]
        if let token { request.headers.add(name: "Authorization", value: token) }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
    }

    /// The deadline that async-http-client takes ends with the head of the answer, so the time is bounded here.
    private func answer(_ request: HTTPClientRequest, within time: Duration) async throws -> HTTPAnswer {
        begin()
        defer { end() }
        do {
            return try await withTimeLimit(time) { [client, limit] in
                let response = try await client.execute(request, deadline: .distantFuture)
                var body: [UInt8] = []
                for try await part in response.body {
                    guard body.count + part.readableBytes <= limit else {
                        throw AttemptFailure(
                            mayHaveArrived: true, code: .unreadable, text: "sent more than \(limit) bytes",
                            hint: "check that etcd listens there and nothing else")
                    }
                    body += part.readableBytesView
                }
                return HTTPAnswer(status: Int(response.status.code), body: body)
            }
        } catch is TimeLimitReached {
            // Without a connection it would have failed sooner.
            throw AttemptFailure(
                mayHaveArrived: true, code: .unreachable, text: "did not answer within \(time)", hint: EtcdError.slowHint)
        } catch let error as AttemptFailure {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch let error as HTTPClientError where error == .cancelled && Task.isCancelled {
            throw CancellationError()
        } catch {
            throw Self.failure(of: error)
        }
    }

    static func failure(of error: any Error) -> AttemptFailure {
        switch error {
        case let error as AttemptFailure: return error
        case let error as NIOConnectionError:
            let first = error.connectionErrors.first.map { failure(of: $0.error).text }
            return AttemptFailure(
                mayHaveArrived: false, code: .unreachable, text: first ?? "there is no host \(error.host)", cause: error)
        case is NIOSSLExtraError, is NIOSSLError, is BoringSSLError:
            return certificate(error)
        case let error as HTTPClientError where error == .readTimeout:
            return AttemptFailure(
                mayHaveArrived: true, code: .unreachable, text: "has been silent for too long", hint: EtcdError.slowHint,
                cause: error)
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            return AttemptFailure(
                mayHaveArrived: true, code: .unreachable, text: "closed the connection without an answer", cause: error)
        case let error as HTTPClientError:
            let isBefore = [.connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout].contains(error)
            return AttemptFailure(
                mayHaveArrived: !isBefore, code: .unreachable,
                text: isBefore ? "could not be connected to in time" : error.shortDescription, cause: error)
        case let error as ChannelError:
            if case .connectTimeout = error {
                return AttemptFailure(
                    mayHaveArrived: false, code: .unreachable, text: "could not be connected to in time", cause: error)
            }
            return AttemptFailure(mayHaveArrived: true, code: .unreachable, text: "\(error)", cause: error)
        case let error as IOError:
            // An address that is an IP address has no connection errors of its own.
            return AttemptFailure(
                mayHaveArrived: error.errnoCode != ECONNREFUSED, code: .unreachable, text: systemText(error), cause: error)
        default:
            let text = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
            return AttemptFailure(mayHaveArrived: true, code: .unreachable, text: text, cause: error)
        }
    }

    private static func systemText(_ error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "refused the connection"
        case ECONNRESET, EPIPE: "closed the connection without an answer"
        case ENETUNREACH, EHOSTUNREACH: "is not reachable over the network"
        default: error.description
        }
    }

    /// With TLS 1.3 the other side's objection may come after the request has been sent, which it then does not read.
    private static func certificate(_ error: any Error) -> AttemptFailure {
        AttemptFailure(
            mayHaveArrived: true, code: .certificateRefused, text: "and this side do not come to terms over TLS: \(error)",
            hint: "name the authority of its certificate as store.etcd.ca, and where it asks for a client certificate give "
                + "certificate and key of an authority it trusts",
            cause: error)
    }

    /// - Throws: `EtcdError` with `.misconfigured`.
    static func tls(_ access: EtcdAccess) throws(EtcdError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let file = access.authority {
            configuration.trustRoots = .certificates(try certificates(file, "the authorities' certificates"))
        }
        guard let own = access.certificate else { return configuration }
        configuration.certificateChain = try certificates(own.certificate, "the client certificate").map { .certificate($0) }
        var pem: [UInt8]
        do {
            pem = try SecretFile.readTrusted(path: own.key, limit: 65_536)
        } catch {
            throw EtcdError(.misconfigured, "the key of the client certificate: \(error)", hint: error.hint, cause: error)
        }
        defer { SecretBytes.wipe(&pem) }
        do {
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: pem, format: .pem))
        } catch {
            throw EtcdError(
                .misconfigured, "\(own.key) holds no private key", hint: "give the certificate's key in PEM, without a password",
                cause: error)
        }
        return configuration
    }

    private static func certificates(_ file: String, _ what: String) throws(EtcdError) -> [NIOSSLCertificate] {
        do {
            let pem = try RegularFile.readTrusted(path: file, limit: 1 << 20)
            return try NIOSSLCertificate.fromPEMBytes(pem)
        } catch let error as PlatformError {
            throw EtcdError(.misconfigured, "\(what): \(error)", hint: error.hint, cause: error)
        } catch {
            throw EtcdError(
                .misconfigured, "\(file) holds no certificate", hint: "give \(what) in PEM", cause: error)
        }
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        self = .nanoseconds(duration.nanoseconds)
    }
}
