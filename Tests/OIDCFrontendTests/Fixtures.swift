import AgentProtocol
import Foundation
import Logging
import NIOCore
import Platform
import Testing

@testable import OIDCFrontend

/// The moment the tests count from: 2026-11-24T10:00:00Z.
let start = WireTime("2026-11-24T10:00:00Z")!

/// Seconds after ``start``, on the wire and on the clock.
func wire(_ seconds: Int64) -> WireTime { WireTime(seconds: start.seconds + seconds) }
func moment(_ seconds: Int64, nanoseconds: Int32 = 0) -> Moment {
    Moment(seconds: start.seconds + seconds, nanoseconds: nanoseconds)
}

/// A clock that stands until it is moved.
final class TestClock: Sendable {
    private let time: Locked<Moment>

    init(_ time: Moment = moment(0)) { self.time = Locked(time) }

    func move(to new: Moment) { time.withLock { $0 = new } }
    var reading: @Sendable () -> Moment {
        { [time] in time.withLock { $0 } }
    }
}

/// One URL of an issuer. The documents name the keys, so that a test sees which version it got.
func url(
    _ id: String, current: Bool = true, expiresAt: WireTime? = nil, maxAge: Int = 300,
    _ versions: [(from: WireTime, keys: String)] = [(wire(0), "k1")]
) -> PublishedURL {
    let issuerUrl = "https://oidc.example.com/tenant/\(id)/"
    return PublishedURL(
        issuerUrl: issuerUrl, discoveryUri: issuerUrl + ".well-known/openid-configuration",
        jwksUri: issuerUrl + "openid/v1/jwks", current: current, expiresAt: expiresAt, maxAgeSeconds: maxAge,
        versions: versions.map { version in
            DocumentVersion(
                from: version.from,
                discovery: Document(
                    body: discoveryBody(issuerUrl, version.keys), etag: "\"d-\(version.keys)\""),
                jwks: Document(body: jwksBody(version.keys), etag: "\"j-\(version.keys)\""))
        })
}

func discoveryBody(_ issuerUrl: String, _ keys: String) -> String {
    "{\"issuer\":\"\(issuerUrl)\",\"jwks_uri\":\"\(issuerUrl)openid/v1/jwks\",\"algs\":\"\(keys)\"}"
}
func jwksBody(_ keys: String) -> String { "{\"keys\":[\"\(keys)\"]}" }
func jwksPath(_ id: String) -> String { "/tenant/\(id)/openid/v1/jwks" }
func discoveryPath(_ id: String) -> String { "/tenant/\(id)/.well-known/openid-configuration" }

func discovery(
    of issuer: String, generation: Int = 1, at time: WireTime = wire(0), _ urls: [PublishedURL]
) -> DiscoveryResult {
    DiscoveryResult(
        issuer: issuer, generation: generation, dataTimestamp: time, jwks: Document(body: "{}", etag: "\"e\""), urls: urls)
}

extension Publication {
    /// The JWK set served at `seconds`, as text.
    func jwks(_ id: String, at seconds: Int64) -> String? {
        document(at: jwksPath(id), time: moment(seconds)).map { String(buffer: $0.body) }
    }
}

extension LivePublication {
    /// As the first agent says.
    func apply(_ result: DiscoveryResult) { _ = take(result, from: 0) }
    func drop(_ issuer: String) { _ = takeDeletion(of: issuer, at: .max, from: 0) }
    func confirm() { hearOut(0) }

    func jwks(_ id: String) -> String? {
        document(at: jwksPath(id)).map { String(buffer: $0.body) }
    }
}

/// Waits until `condition` holds; fails the test when it does not within ten seconds.
func eventually(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "never: \(what)", sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(2))
    }
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
