/// An absolute `http` or `https` URL (RFC 9110 §4.2), with nothing in it that two readers could take for two things.
public struct WebURL: Sendable {
    /// Host and port, as they are written.
    public let authority: Substring
    /// Everything from the slash after the authority on, query included; empty without that slash.
    public let rest: Substring

    /// Nil for what is no such URL. A user before the host counts as none: the URL then says another host than it seems to.
    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), ["http", "https"].contains(text[..<colon].lowercased()),
            text[colon...].hasPrefix("://")
        else { return nil }
        let after = text[colon...].dropFirst(3)
        authority = after.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        rest = after[authority.endIndex...]
        guard Authority.isSound(authority) else { return nil }
    }

    /// Whether it is a path of the characters of RFC 3986 §3.3, or none, with no query and no fragment behind it.
    public static func isPath(_ text: Substring) -> Bool {
        let bytes = text.utf8
        guard bytes.isEmpty || bytes.first == UInt8(ascii: "/") else { return false }
        return Authority.isText(bytes, of: { Authority.isNameCharacter($0) || ":@/".utf8.contains($0) })
    }

    /// Whether a segment of a path means itself, or the one above it, also to those who read escapes first (RFC 3986 §6.2.2).
    public static func hasDotSegments(_ path: Substring) -> Bool {
        path.split(separator: "/").contains { segment in
            let plain = segment.lowercased().replacing("%2e", with: ".")
            return plain == "." || plain == ".."
        }
    }
}

/// Host and port as they stand in a URL and in `Host` (RFC 3986 §3.2, RFC 9110 §7.2).
public enum Authority {
    /// Whether it is a host, with a port or without, and nothing else.
    public static func isSound(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        let afterHost: Int
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")), end > 1, bytes[1..<end].allSatisfy(isLiteral) else {
                return false
            }
            afterHost = end + 1
        } else {
            afterHost = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
            guard afterHost > 0, isRegisteredName(bytes[..<afterHost]) else { return false }
        }
        guard afterHost < bytes.count else { return true }
        return bytes[afterHost] == UInt8(ascii: ":") && bytes[(afterHost + 1)...].allSatisfy(isDigit)
    }

    /// `reg-name` of RFC 3986 §3.2.2: an IPv4 address is one as well.
    private static func isRegisteredName(_ bytes: ArraySlice<UInt8>) -> Bool { isText(bytes, of: isNameCharacter) }

    /// Whether every byte is one of those, or of an escape (RFC 3986 §2.1).
    fileprivate static func isText(_ bytes: some Sequence<UInt8>, of isAllowed: (UInt8) -> Bool) -> Bool {
        var rest = Array(bytes)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, rest.prefix(2).allSatisfy(isHexadecimal) else { return false }
                rest = rest.dropFirst(2)
            } else if !isAllowed(byte) {
                return false
            }
        }
        return true
    }

    private static func isLiteral(_ byte: UInt8) -> Bool { isNameCharacter(byte) || byte == UInt8(ascii: ":") }

    /// `unreserved` and `sub-delims` of RFC 3986 §2.
    fileprivate static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte | 0x20 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: isDigit(byte) || "-._~!$&'()*+,;=".utf8.contains(byte)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20
    }
}
