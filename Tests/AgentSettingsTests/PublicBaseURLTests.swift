import AgentSettings
import DaemonKit
import Testing

@Suite("The base URL that issuer URLs begin with")
struct PublicBaseURLTests {
    @Test(
        "one that no client can use is refused, for what is wrong with it",
        arguments: [
            ("", "is no http or https URL"), ("oidc.example.com", "is no http or https URL"),
            ("ftp://oidc.example.com", "is no http or https URL"), ("HTTPS://oidc.example.com", "is no http or https URL"),
            ("https:/oidc.example.com", "is no http or https URL"), ("https://a?b", "is no http or https URL"),
            ("https://a/#b", "is no http or https URL"), ("https://a/b#", "is no http or https URL"),
            ("https://", "is no http or https URL"), ("https:///a", "no host"), ("https://:443", "no host"),
            ("https://user@a", "a user before"),
            ("https://u:p@a/", "a user before"),
            // Ports.
            ("https://a:", "no port after the colon"), ("https://a:/b", "no port after the colon"),
            ("https://a:0", "the port \"0\""), ("https://a:99999", "the port \"99999\""),
            ("https://a:65536", "the port \"65536\""),
            ("https://a:08", "the port \"08\""), ("https://a:8x", "the port \"8x\""), ("https://a:-1", "the port \"-1\""),
            ("https://a:99999999999999999999", "the port \"99999999999999999999\""),
            ("https://2001:db8::1", "the port \"db8::1\""), ("https://[::1]:", "no port after the colon"),
            // Hosts.
            ("https://a..b", "no host name"), ("https://.a", "no host name"), ("https://.", "no host name"),
            ("https://%41", "no host name"), ("https://a!b", "no host name"), ("https://*.example.com", "no host name"),
            ("https://\(String(repeating: "a", count: 64)).b", "no host name"), ("https://a,b", "no host name"),
            ("https://\(String(repeating: "a.", count: 127))b", "no host name"), ("https://256.0.0.1", "no IPv4 address"),
            ("https://192.0.2", "no IPv4 address"), ("https://192.0.2.1.", "no IPv4 address"), ("https://a.1", "no IPv4 address"),
            ("https://0x7f.1", "no IPv4 address"), ("https://[::1", "no IPv6 address"), ("https://[::1]a", "neither a port nor"),
            ("https://[192.0.2.1]", "no IPv6 address"), ("https://[fe80::1%25eth0]", "no IPv6 address"),
            ("https://[v1.a]", "no IPv6 address"),
            // Paths.
            ("https://a/.", "a segment . or .."), ("https://a/../b", "a segment . or .."),
            ("https://a/b/./c", "a segment . or .."),
            ("https://a/%2e%2E/b", "a segment . or .."), ("https://a/.%2e", "a segment . or .."),
            ("https://a/./", "a segment . or .."),
            ("https://a/%", "none of RFC 3986"), ("https://a/%4", "none of RFC 3986"), ("https://a/%zz", "none of RFC 3986"),
            ("https://a/%4g/b", "none of RFC 3986"), ("https://a/[b]", "none of RFC 3986"),
            // Characters.
            ("https://a/b c", "the character \" \""), ("https://a b", "the character \" \""),
            ("https://ä.example", "the character \"ä\""),
            ("https://a/ü", "the character \"ü\""), ("https://a/<b>", "the character \"<\""),
            ("https://a/b|c", "the character \"|\""),
            ("https://a/{b}", "the character \"{\""), ("https://a/b\\c", "the character \"\\\\\""),
            ("https://a/b^c", "the character \"^\""),
            ("https://a/`b", "the character \"`\""), ("https://a/\"b", "the character \"\\\"\""),
            ("https://a/\u{7F}", "the character"),
            ("https://a/b\n", "the character \"\\n\""), ("https://a/\u{0}", "the character"),
            (" https://a", "the character \" \""),
            ("https://a/\(String(repeating: "b", count: 1_015))", "1025 bytes"),
        ])
    func refused(text: String, message: String) {
        let error = #expect(throws: InvalidConfigurationValue.self) { try PublicBaseURL(text) }
        #expect(error?.message.contains(message) == true, "\(text): \(String(describing: error))")
        #expect(error?.hint.isEmpty == false)
    }

    @Test(
        "one that every client reads alike is taken as it is, without the slash at its end",
        arguments: [
            "https://oidc.example.com", "https://oidc.example.com/", "https://oidc.example.com:8443", "https://h",
            "https://a_b.c-d",
            "https://192.0.2.7", "https://[2001:db8::1]:8443/", "http://127.0.0.1:8080", "http://[::1]", "http://localhost/",
            "https://xn--bcher-kva.example", "https://a/b/c", "https://a/b/", "https://a/~b.c..d/...",
            "https://a/b:c@d;e=f,g!$&'()*+",
            "https://a:1", "https://a:65535", "https://1.a", "https://a/\(String(repeating: "b", count: 1_014))",
        ])
    func taken(text: String) throws {
        let url = try PublicBaseURL(text)
        #expect(url.text == (text.hasSuffix("/") ? String(text.dropLast()) : text))
        #expect(url.warnings.isEmpty, "\(url.warnings)")
    }

    @Test(
        "what clients read in different ways is warned of",
        arguments: [
            ("https://a:443", ["the port that its scheme has anyway"]),
            ("http://localhost:80/", ["the port that its scheme has anyway"]),
            ("https://OIDC.example.com", ["capital letters"]), ("https://a//b", ["two slashes together"]),
            ("https://a//", ["two slashes together"]), ("https://a/b//", ["two slashes together"]),
            ("https://a/%7Eb", ["%-escapes"]), ("https://a.", ["ends in a dot"]), ("http://a", ["an http URL"]),
            ("http://192.0.2.1:443", ["an http URL"]),
            (
                "http://A:80//b",
                ["the port that its scheme has anyway", "capital letters", "two slashes together", "an http URL"]
            ),
        ])
    func warned(text: String, warnings: [String]) throws {
        let url = try PublicBaseURL(text)
        #expect(url.warnings.count == warnings.count, "\(url.warnings)")
        for (said, expected) in zip(url.warnings, warnings) { #expect(said.contains(expected)) }
    }
}
