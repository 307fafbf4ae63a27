import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// What a relying party gets from a frontend on this machine.
package struct HTTPFetch: Sendable {
    package let status: Int
    package let maxAge: Int?
    package let body: String

    /// GETs a path of a port, in ten seconds at most.
    package static func get(_ path: String, port: Int) async throws -> HTTPFetch {
        let answer = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)"), timeout: .seconds(10))
        let body = try await answer.body.collect(upTo: 1 << 20)
        let directives = answer.headers["Cache-Control"].flatMap { $0.split(separator: ",") }
        let maxAge = directives.lazy.compactMap { directive -> Int? in
            let text = directive.trimmingCharacters(in: .whitespaces)
            return text.hasPrefix("max-age=") ? Int(text.dropFirst(8)) : nil
        }.first
        return HTTPFetch(status: Int(answer.status.code), maxAge: maxAge, body: String(buffer: body))
    }
}
