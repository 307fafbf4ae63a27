import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Platform

extension EtcdGateway {
    /// Hands over what happens to the keys of a range, until the watch ends or the caller is cancelled.
    ///
    /// A hint to look, never the truth: events come late, and in a cluster that is unwell not at all. However it ends, what
    /// happened since the last message has to be read before the next watch.
    /// - Parameter revision: the first one whose events are told.
    /// - Throws: always: `EtcdError` with `.watchEnded` when it was silent for too long, closed, or told no more by etcd, `.compacted`
    ///   when the revision is not kept any more, others when it did not come about; `CancellationError`; what `body` throws.
    public func watch(
        _ range: EtcdKeyRange, from revision: Int64, _ body: @Sendable (EtcdWatchMessage) async throws -> Void
    ) async throws {
        await refreshCertificates()
        let endpoint = ring.first
        do {
            try await follow(range, revision, at: endpoint, body)
        } catch let failure as AttemptFailure {
            try Task.checkCancellation()
            let error = EtcdError(
                failure.code == .unreachable ? .watchEnded : failure.code, "the watch of etcd at \(endpoint): it \(failure.text)",
                hint: "nothing while it comes back; it is opened again at the next member", cause: failure.cause)
            ring.failed(endpoint, error)
            throw error
        } catch let error as EtcdError {
            if error.code != .compacted { ring.failed(endpoint, error) }
            throw error
        }
    }

    private func follow(
        _ range: EtcdKeyRange, _ revision: Int64, at endpoint: EtcdEndpoint,
        _ body: @Sendable (EtcdWatchMessage) async throws -> Void
    ) async throws {
        let token = try await authorization(at: endpoint)
        let exchange = watchExchange
        exchange.begin()
        defer { exchange.end() }
        do {
            let request = WireRequest.bytes(WireRequest.Watch(range, from: revision))
            let response = try await exchange.stream(endpoint.url + GatewayPath.watch, request, token: token)
            guard response.status == .ok else { throw try await refusal(response, at: endpoint) }
            var framer = WatchFramer(limit: access.limits.watchLine)
            var parts = response.body.makeAsyncIterator()
            while let part = try await next(&parts) {
                for line in try framer.feed(part.readableBytesView) {
                    try await body(message(line, from: endpoint))
                }
            }
        } catch is WatchFramer.TooLong {
            throw AttemptFailure(
                mayHaveArrived: true, code: .watchEnded, text: "sent a line of more than \(access.limits.watchLine) bytes")
        } catch {
            // Etcd says in a text alone why it tells no more: a token that has expired is as likely as anything.
            if let token, !(error is CancellationError) { await self.token.discard(token) }
            throw error
        }
        if let token { await self.token.discard(token) }
        try Task.checkCancellation()
        throw AttemptFailure(mayHaveArrived: true, code: .watchEnded, text: "was closed")
    }

    private func next(_ parts: inout HTTPClientResponse.Body.AsyncIterator) async throws -> HTTPClientResponse.Body.Element? {
        do {
            return try await parts.next()
        } catch {
            try Task.checkCancellation()
            throw HTTPExchange.failure(of: error)
        }
    }

    private func message(_ line: [UInt8], from endpoint: EtcdEndpoint) throws -> EtcdWatchMessage {
        guard let line = try? JSONDecoder().decode(WatchLine.self, from: Data(line)) else {
            throw AttemptFailure(mayHaveArrived: true, code: .unreadable, text: "sent a line that cannot be read")
        }
        try checkCluster(line.header.cluster, at: endpoint)
        switch line.content {
        case .message(let message):
            return message
        case .cancelled(_, let compacted) where compacted != 0:
            throw EtcdError(
                .compacted,
                "etcd at \(endpoint) does not keep what was to be watched from on: it begins at revision \(compacted)",
                hint: "read again from the present on")
        case .cancelled(let reason, _):
            let reason = reason.split(whereSeparator: \.isNewline).joined(separator: " ")
            throw AttemptFailure(mayHaveArrived: true, code: .watchEnded, text: "was ended by etcd: \(reason)")
        case .fault(let fault):
            throw AttemptFailure(mayHaveArrived: true, code: .watchEnded, text: "failed: \(fault.text)")
        }
    }

    private func refusal(_ response: HTTPClientResponse, at endpoint: EtcdEndpoint) async throws -> any Error {
        let body = try await withTimeLimit(access.limits.attempt) {
            Array(try await response.body.collect(upTo: 65_536).readableBytesView)
        }
        guard let fault = WireAnswer.Fault(body) else { return try unreadable(Int(response.status.code), at: endpoint) }
        return try await error(for: fault, at: endpoint)
    }
}
