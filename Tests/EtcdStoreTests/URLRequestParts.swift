import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// A request as plain as it gets: what the gateway's client does is not to be tested by itself.
struct URLRequestParts: Sendable {
    var url: String
    var body: [UInt8]
    var token: String?

    func send() async throws -> (status: Int, body: String) {
        var request = HTTPClientRequest(url: url)
        request.method = body.isEmpty ? .GET : .POST
        if let token { request.headers.add(name: "Authorization", value: token) }
        if !body.isEmpty { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        let text = try await String(buffer: response.body.collect(upTo: 64 << 20))
        return (Int(response.status.code), text)
    }
}
