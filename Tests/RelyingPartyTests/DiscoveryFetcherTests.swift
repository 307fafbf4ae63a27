import Foundation
import JOSE
import RelyingParty
import Testing

@Suite("discovery")
struct DiscoveryFetcherTests {
    static let issuer = "https://issuer.example/t/u/"
    static let keySetURL = "https://issuer.example/t/u/openid/v1/jwks"
    static let keySet = #"{"keys":[]}"#

    static func discovery(issuer: String = issuer, jwksURI: String = keySetURL) -> FetchedDocument {
        document(DiscoveryDocument(issuer: issuer, jwksURI: jwksURI, algorithms: [.rs256]).encoded)
    }

    static func document(_ body: [UInt8], status: Int = 200) -> FetchedDocument {
        FetchedDocument(status: status, contentType: "application/json", body: body)
    }

    /// A fetcher of the documents at these URLs; at any other there is a 404.
    func fetcher(_ documents: [String: FetchedDocument]) -> DiscoveryFetcher {
        DiscoveryFetcher(fetch: { url in documents[url.absoluteString] ?? Self.document([], status: 404) })
    }

    @Test(
        "the document is beside the issuer, one trailing slash or none, and its jwks_uri is followed",
        arguments: [
            (issuer, "https://issuer.example/t/u/.well-known/openid-configuration"),
            ("https://issuer.example/t/u", "https://issuer.example/t/u/.well-known/openid-configuration"),
            ("https://issuer.example", "https://issuer.example/.well-known/openid-configuration"),
            ("https://issuer.example:8443/", "https://issuer.example:8443/.well-known/openid-configuration"),
            ("http://127.0.0.1:8080/t/", "http://127.0.0.1:8080/t/.well-known/openid-configuration"),
        ])
    func finds(issuer: String, url: String) async throws {
        let discovery = Self.discovery(issuer: issuer)
        let published = try await fetcher([url: discovery, Self.keySetURL: Self.document(Array(Self.keySet.utf8))])
            .issuer(issuer)
        #expect(published.issuer == issuer)
        #expect(published.jwksURI == Self.keySetURL)
        #expect(published.discovery == discovery.body)
        #expect(published.keySet == Array(Self.keySet.utf8))
    }

    @Test(
        "the document must name the issuer asked, character by character",
        arguments: [
            "https://issuer.example/t/u", "https://other.example/t/u/", "https://ISSUER.example/t/u/", "",
        ])
    func mismatch(named: String) async {
        let fetcher = fetcher([
            Self.issuer + ".well-known/openid-configuration": Self.discovery(issuer: named),
            Self.keySetURL: Self.document(Array(Self.keySet.utf8)),
        ])
        await #expect(throws: failure(.discoveryIssuerMismatch)) { try await fetcher.issuer(Self.issuer) }
    }

    @Test(
        "what is no issuer URL is refused before anything is fetched",
        arguments: [
            "", "issuer", "ftp://issuer.example", "https://", "https:///t", "https://i.example/?a",
            "https://i.example/#a",
        ])
    func issuerURL(text: String) async {
        let fetcher = DiscoveryFetcher(fetch: { url in
            Issue.record("fetched \(url)")
            return Self.document([])
        })
        await #expect(throws: failure(.issuerURLInvalid)) { try await fetcher.issuer(text) }
    }

    static let badDiscovery: [(String, FetchedDocument, VerificationError.Code)] = [
        ("404", document([], status: 404), .httpStatus),
        ("500", document(discovery().body, status: 500), .httpStatus),
        ("204", document([], status: 204), .httpStatus),
        ("nothing", document([]), .documentInvalid),
        ("HTML", document(Array("<html></html>".utf8)), .documentInvalid),
        ("no jwks_uri", document(Array(#"{"issuer":"\#(issuer)"}"#.utf8)), .documentInvalid),
        ("a relative jwks_uri", discovery(jwksURI: "/jwks"), .documentInvalid),
        ("an http jwks_uri", discovery(jwksURI: "http://issuer.example/jwks"), .documentInvalid),
        ("a file as jwks_uri", discovery(jwksURI: "file:///etc/passwd"), .documentInvalid),
    ]

    @Test("a discovery document that cannot be used says why", arguments: badDiscovery)
    func discovery(name: String, document: FetchedDocument, code: VerificationError.Code) async throws {
        let fetcher = fetcher([
            Self.issuer + ".well-known/openid-configuration": document,
            Self.keySetURL: Self.document(Array(Self.keySet.utf8)),
        ])
        let error = try #require(
            await #expect(throws: VerificationError.self, "\(name)") { try await fetcher.issuer(Self.issuer) })
        #expect(error.code == code)
        #expect(!error.message.contains("\n") && !error.hint.isEmpty)
    }

    @Test(
        "a key set that cannot be used says why",
        arguments: [
            (document([], status: 503), VerificationError.Code.httpStatus),
            (document(Array("{}".utf8)), .documentInvalid),
            (document(Array(#"{"keys":1}"#.utf8)), .documentInvalid),
        ])
    func keySet(document: FetchedDocument, code: VerificationError.Code) async {
        let fetcher = fetcher([
            Self.issuer + ".well-known/openid-configuration": Self.discovery(), Self.keySetURL: document,
        ])
        await #expect(throws: failure(code)) { try await fetcher.issuer(Self.issuer) }
    }

    @Test("a document of 1 MiB is taken, one of a byte more is not", arguments: [0, 1])
    func size(excess: Int) async throws {
        let discovery = Self.discovery()
        let padding = [UInt8](
            repeating: 0x20, count: DiscoveryFetcher.maximumDocumentSize - discovery.body.count + excess)
        let fetcher = fetcher([
            Self.issuer + ".well-known/openid-configuration": Self.document(discovery.body + padding),
            Self.keySetURL: Self.document(Array(Self.keySet.utf8)),
        ])
        if excess == 0 {
            #expect(try await fetcher.issuer(Self.issuer).issuer == Self.issuer)
        } else {
            await #expect(throws: failure(.documentTooLarge)) { try await fetcher.issuer(Self.issuer) }
        }
    }

    @Test("a fetch that fails is an unreachable issuer, with what failed as the cause")
    func unreachable() async throws {
        let fetcher = DiscoveryFetcher(fetch: { _ in throw URLError(.cannotConnectToHost) })
        let error = try #require(
            await #expect(throws: failure(.unreachable)) { try await fetcher.issuer(Self.issuer) })
        #expect((error.cause as? URLError)?.code == .cannotConnectToHost)
    }
}
