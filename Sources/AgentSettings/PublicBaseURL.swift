package import DaemonKit
import Platform

/// Where relying parties reach the frontend: what every issuer URL that is minted begins with, and so `iss`, byte for byte and for
/// good. What some client could not use is refused; what clients read in different ways is warned of.
package struct PublicBaseURL: Decodable, Equatable {
    /// The most bytes it may have: with tenant and uuid it is an issuer URL, which the frontend takes up to 2,048 of.
    private static let longest = 1_024
    /// Bytes that stand in no URL, escaped or in place of anything (RFC 3986 §2).
    private static let excluded = Set("\"<>\\^`{|} ".utf8)

    /// Without the slash at its end.
    package let text: String
    /// What some clients read otherwise than it is written, a line each.
    package let warnings: [String]

    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    /// An http or https URL, perhaps with a path.
    package init(_ given: String) throws(InvalidConfigurationValue) {
        if let character = given.unicodeScalars.first(where: {
            !(0x21...0x7E ~= $0.value) || Self.excluded.contains(UInt8($0.value))
        }) {
            throw InvalidConfigurationValue(
                "publicBaseURL has the character \(String(reflecting: String(character))), which is none of a URL's",
                hint: "write a host name in its xn-- form, and in a path the %-escape of each byte")
        }
        guard given.utf8.count <= Self.longest else {
            throw InvalidConfigurationValue(
                "publicBaseURL has \(given.utf8.count) bytes", hint: "give one of \(Self.longest) at most")
        }
        let text = given.hasSuffix("/") ? String(given.dropLast()) : given
        let scheme = ["https://", "http://"].first { text.hasPrefix($0) }
        guard let scheme, !text.contains("?"), !text.contains("#") else {
            throw InvalidConfigurationValue(
                "\"\(given)\" is no http or https URL without query and fragment",
                hint: "give the origin relying parties reach privyseal-issuer at, such as https://oidc.example.com")
        }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest[authority.endIndex...]
        guard !authority.contains("@") else {
            throw InvalidConfigurationValue(
                "publicBaseURL names a user before its host", hint: "leave out all up to the @: relying parties log in nowhere")
        }
        let (host, port) = try Self.parts(of: authority)
        if let port { try Self.check(port: port) }
        try Self.check(host: host)
        guard WebURL.isPath(path) else {
            throw InvalidConfigurationValue(
                "the path of publicBaseURL is none of RFC 3986: \"\(path)\"",
                hint: "a % stands before two hexadecimal digits, and %25 for itself; of the others [ and ] have to be escaped")
        }
        guard !WebURL.hasDotSegments(path) else {
            throw InvalidConfigurationValue(
                "the path of publicBaseURL has a segment . or ..: \"\(path)\"",
                hint: "write the path that is meant: clients take such segments out before they ask")
        }
        self.text = text
        warnings = Self.oddities(scheme: scheme, host: host, port: port, path: path)
    }

    private static func parts(
        of authority: Substring
    ) throws(InvalidConfigurationValue) -> (host: Substring, port: Substring?) {
        let afterHost =
            authority.first == "["
            ? authority.firstIndex(of: "]").map { authority.index(after: $0) } ?? authority.endIndex
            : authority.firstIndex(of: ":") ?? authority.endIndex
        let host = authority[..<afterHost]
        guard afterHost < authority.endIndex else { return (host, nil) }
        guard authority[afterHost] == ":" else {
            throw InvalidConfigurationValue(
                "the host of publicBaseURL is followed by neither a port nor a path: \"\(authority)\"",
                hint: "write [ADDRESS]:PORT")
        }
        return (host, authority[authority.index(after: afterHost)...])
    }

    private static func check(port: Substring) throws(InvalidConfigurationValue) {
        guard port.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), port.first != "0", let number = Int(port),
            1...65_535 ~= number
        else {
            throw InvalidConfigurationValue(
                port.isEmpty ? "publicBaseURL has no port after the colon" : "publicBaseURL names the port \"\(port)\"",
                hint: port.contains(":")
                    ? "an IPv6 address stands in brackets: [2001:db8::1]"
                    : "write a port from 1 to 65535, or leave out the colon")
        }
    }

    /// A host name, or an IP address. What RFC 3986 §3.2.2 allows beyond them no client can look up.
    private static func check(host: Substring) throws(InvalidConfigurationValue) {
        if host.first == "[" {
            let address = host.dropFirst().dropLast()
            guard host.last == "]", address.contains(":"), IPAddress(String(address)) != nil else {
                throw InvalidConfigurationValue(
                    "the host of publicBaseURL is no IPv6 address: \"\(host)\"",
                    hint: "write it as in [2001:db8::1], without a zone")
            }
            return
        }
        var labels = host.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count > 1, labels.last == "" { labels.removeLast() }
        guard host.utf8.count <= 253,
            labels.allSatisfy({ label in 1...63 ~= label.utf8.count && label.utf8.allSatisfy(isOfName) })
        else {
            throw InvalidConfigurationValue(
                host.isEmpty ? "publicBaseURL has no host" : "the host of publicBaseURL is no host name: \"\(host)\"",
                hint: "give the name relying parties reach privyseal-issuer at, such as oidc.example.com")
        }
        // Clients take a name that ends in a number for an IPv4 address, or for a broken one (WHATWG URL §3.5).
        guard
            labels.last?.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) != true
                || IPAddress(String(host)) != nil
        else {
            throw InvalidConfigurationValue(
                "the host of publicBaseURL ends in a number and is no IPv4 address: \"\(host)\"",
                hint: "write four numbers from 0 to 255, as in 192.0.2.7, or a name")
        }
    }

    /// Letters, digits and the hyphen of RFC 952, and the underscore that name servers take as well.
    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte | 0x20 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
    }

    /// `iss` is compared byte for byte, and some clients put a URL into another form before they compare (RFC 3986 §6.2).
    private static func oddities(scheme: String, host: Substring, port: Substring?, path: Substring) -> [String] {
        var found: [String] = []
        func warn(_ what: String, _ todo: String) { found.append("\(what): \(todo)") }
        if port == (scheme == "https://" ? "443" : "80") {
            warn("publicBaseURL names the port that its scheme has anyway", "some clients leave it out and compare another iss")
        }
        if host.contains(where: \.isUppercase) {
            warn("the host of publicBaseURL has capital letters", "some clients make them small and compare another iss")
        }
        if host.last == "." {
            warn("the host of publicBaseURL ends in a dot", "certificates are for names without it")
        }
        if "\(path)/".contains("//") {
            warn("the path of publicBaseURL has two slashes together", "proxies and some clients make them one")
        }
        if path.contains("%") {
            warn("the path of publicBaseURL has %-escapes", "some clients read or write them anew and compare another iss")
        }
        let isLocal = host == "localhost" || IPAddress(host.filter { $0 != "[" && $0 != "]" })?.isLoopback == true
        if scheme == "http://", !isLocal {
            warn("publicBaseURL is an http URL", "relying parties elsewhere take https alone")
        }
        return found
    }
}
