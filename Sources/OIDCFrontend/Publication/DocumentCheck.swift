import AgentProtocol
import Platform

/// Looks at what comes in, from the agent and from the cache, before any of it is served or put into a header field.
///
/// The agent is trusted with the keys, and not with the form: what stands in its place, or in the cache, must not be able to write
/// header fields, to answer for another issuer or for the frontend's own paths, or to have caches keep a key for years.
enum DocumentCheck {
    /// More than what an agent lets an issuer have.
    static let longestAge = 31_536_000
    private static let longestETag = 256
    private static let longestURL = 2_048

    /// Throws `documentsUnusable`, naming the member that is not what it has to be.
    ///
    /// `issuer` is the one that was asked about; from the cache any.
    static func check(_ result: DiscoveryResult, answering issuer: String? = nil) throws(FrontendError) {
        guard isName(result.issuer) else { throw refusal("issuer is no issuer's name") }
        guard result.deployment.map(isDeployment) ?? true else { throw refusal("deployment is no identity") }
        guard issuer == nil || result.issuer == issuer else { throw refusal("issuer is not the one that was asked about") }
        for (index, url) in result.urls.enumerated() { try check(url, "urls[\(index)]") }
    }

    private static func check(_ url: PublishedURL, _ place: String) throws(FrontendError) {
        guard isPublished(url.issuerUrl) else { throw refusal("\(place).issuerUrl is no issuer URL") }
        for kind in DocumentKind.allCases {
            guard isPublished(kind.uri(in: url)), let path = kind.path(in: url), !DocumentResponder.ownPaths.contains(path) else {
                throw refusal("\(place).\(kind.uriName) is no URL of a document")
            }
        }
        guard 0...longestAge ~= url.maxAgeSeconds else { throw refusal("\(place).maxAgeSeconds is out of range") }
        let begins = url.versions.map(\.from.seconds)
        guard !begins.isEmpty, zip(begins, begins.dropFirst()).allSatisfy({ $0 <= $1 }) else {
            throw refusal("\(place).versions is empty, or not in order")
        }
        for (index, version) in url.versions.enumerated() {
            for kind in DocumentKind.allCases {
                let document = kind.document(in: version)
                let place = "\(place).versions[\(index)].\(kind)"
                guard isEntityTag(document.etag) else { throw refusal("\(place).etag is no entity tag") }
                guard document.body.utf8.count <= ProtocolLimits.replyLine,
                    let slice = try? JSONSlice(validating: Array(document.body.utf8)),
                    let content = try? JSONValue(parsing: slice)
                else { throw refusal("\(place).body is no JSON") }
                guard kind.isContent(content, of: url) else { throw refusal("\(place).body is not that of its URL") }
            }
        }
    }

    /// `entity-tag` of RFC 9110 §8.8.3, in ASCII.
    static func isEntityTag(_ text: String) -> Bool {
        let opaque = text.utf8.starts(with: "W/".utf8) ? text.utf8.dropFirst(2) : text.utf8[...]
        return text.utf8.count <= longestETag && opaque.count >= 2 && opaque.first == UInt8(ascii: "\"")
            && opaque.last == UInt8(ascii: "\"")
            && opaque.dropFirst().dropLast().allSatisfy { 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "\"") }
    }

    /// A URL whose path is one and the same for whoever reads it: of the characters of RFC 3986 §3.3, without dot segments,
    /// query and fragment.
    private static func isPublished(_ text: String) -> Bool {
        guard text.utf8.count <= longestURL, let path = WebURL(text)?.rest else { return false }
        return WebURL.isPath(path) && !WebURL.hasDotSegments(path)
    }

    /// The identity of a store, which goes into logs.
    static func isDeployment(_ text: String) -> Bool {
        1...64 ~= text.utf8.count && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }

    /// An issuer's name: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
    private static func isName(_ text: String) -> Bool {
        let bytes = text.utf8
        return 1...63 ~= bytes.count && bytes.first != UInt8(ascii: "-") && bytes.last != UInt8(ascii: "-")
            && bytes.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
                    || $0 == UInt8(ascii: "-")
            }
    }

    private static func refusal(_ what: String) -> FrontendError {
        FrontendError(
            .documentsUnusable, what, hint: "see whether it is privyseald that listens on the socket, and of which release")
    }
}

extension DocumentKind {
    fileprivate var uriName: String {
        switch self {
        case .discovery: "discoveryUri"
        case .jwks: "jwksUri"
        }
    }

    /// Whether relying parties can take it for the document of this URL (OpenID Connect Discovery 1.0 §4.3, RFC 7517 §5).
    fileprivate func isContent(_ content: JSONValue, of url: PublishedURL) -> Bool {
        switch self {
        case .discovery: content["issuer"]?.string == url.issuerUrl && content["jwks_uri"]?.string == url.jwksUri
        case .jwks: content["keys"]?.elements != nil
        }
    }
}
