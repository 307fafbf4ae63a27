import Foundation
import Testing

@testable import AgentProtocol

@Suite("Claims that some parsers read otherwise")
struct MisreadClaimsTests {
    /// How the claims are refused, the same whether they come as `claims` or as `payload`; nil when they are taken.
    private func refusal(_ claims: String, sourceLocation: SourceLocation = #_sourceLocation) -> ProtocolError? {
        let payload = Data(claims.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
        let refusals = ["\"claims\":\(claims)", "\"payload\":\"\(payload)\""].map { member -> ProtocolError? in
            do {
                _ = try SignRequest.decode(JSONSlice(validating: Array("{\"issuer\":\"demo\",\(member)}".utf8)))
                return nil
            } catch {
                return error as? ProtocolError
            }
        }
        #expect(refusals[0] == refusals[1], sourceLocation: sourceLocation)
        return refusals[0]
    }

    @Test(
        "a name that is a registered claim's but for case, or to some parser, is refused, beside that claim and alone",
        arguments: [
            ("SUB", "sub"), ("Sub", "sub"), ("suB", "sub"), ("AUD", "aud"), ("EXP", "exp"), ("Nbf", "nbf"), ("IAT", "iat"),
            ("JTI", "jti"), ("ISS", "iss"), (#"\u0053ub"#, "sub"),
            // Go v1, by simple case folding.
            (#"\u017fub"#, "sub"), ("ſub", "sub"), ("iſs", "iss"), ("ISſ", "iss"),
            // Java, by equalsIgnoreCase; who uses upper case, and full case folding.
            ("ıss", "iss"), ("İss", "iss"), ("I\u{307}ss", "iss"), ("ıat", "iat"), ("jtı", "jti"), ("iß", "iss"), ("Iẞ", "iss"),
            // Go v2, told to ignore case; comparisons by collation.
            ("s_ub", "sub"), ("-sub", "sub"), ("E_X-P", "exp"), ("su\u{200D}b", "sub"), (#"\ufeffaud"#, "aud"), ("ſ_ub", "sub"),
        ])
    func registered(_ name: String, _ registered: String) throws {
        let values = ["sub": "\"a\"", "iss": "\"a\"", "jti": "\"a\"", "aud": "[\"a\"]", "exp": "1", "nbf": "1", "iat": "1"]
        let value = try #require(values[registered])
        for claims in [
            "{\"aud\":\"a\",\"\(name)\":\(value)}", "{\"aud\":\"a\",\"sub\":\"a\",\"\(name)\":\(value)}",
            "{\"\(name)\":\(value),\"aud\":\"a\",\"\(registered == "aud" ? "x" : registered)\":\(value)}",
            "{\"aud\":\"a\",\"\(name)\":null}",
        ] {
            let error = refusal(claims)
            #expect(error?.reason == .claimsInvalid, "\(claims)")
            #expect(error?.message.hasPrefix("the claims are ambiguous") == true, "\(error?.message ?? "")")
        }
        // Further in it means nothing, nor does it as a value.
        #expect(refusal("{\"aud\":\"a\",\"x\":{\"\(name)\":\(value)},\"y\":\"\(name)\"}") == nil)
    }

    @Test(
        "two names of one object that are equal but for case are refused, at any depth",
        arguments: [
            #"{"groups":1,"Groups":2}"#, #"{"x":{"a":1,"A":2}}"#, #"{"x":[{"y":[{"ab":1,"b":2,"aB":3}]}]}"#,
            #"{"x":{"k":1,"\u212a":2}}"#, #"{"x":{"K":1,"k":2}}"#, #"{"x":{"s":1,"ſ":2}}"#, #"{"x":{"é":1,"É":2}}"#,
            #"{"x":{"σ":1,"ς":2}}"#, #"{"x":{"ǅ":1,"ǆ":2}}"#, #"{"x":{"ᲀ":1,"в":2}}"#, #"{"x":{"𐐀":1,"𐐨":2}}"#,
            #"{"x":{"straße":1,"STRASSE":2}}"#, #"{"x":{"ı":1,"I":2}}"#, #"{"x":{"İ":1,"i":2}}"#,
            #"{"x":{"µ":1,"μ":2}}"#, #"{"x":{"\u0041":1,"a":2}}"#, #"{"x":{"a":1,"\u0041":2}}"#, #"{"x":{"ﬅ":1,"ﬆ":2}}"#,
            // Canonically equivalent: one key of a Swift dictionary.
            "{\"x\":{\"\u{E9}\":1,\"e\u{301}\":2}}", "{\"x\":{\"\u{C5}\":1,\"a\u{30A}\":2}}",
            "{\"x\":{\"a\u{316}\u{301}\":1,\"a\u{301}\u{316}\":2}}",
        ])
    func caseless(_ members: String) {
        let error = refusal("{\"aud\":\"a\",\(members.dropFirst())")
        #expect(error?.reason == .claimsInvalid)
        #expect(error?.message.contains("case alone") == true, "\(error?.message ?? "")")
    }

    @Test("a name of other case is found in an object of any size", arguments: [2, 15, 16, 17, 18, 100, 1_000])
    func largeObject(_ count: Int) {
        let names = (0..<count).map { "\"name\($0)x\":\($0)" }.joined(separator: ",")
        #expect(refusal("{\"aud\":\"a\",\(names),\"ü\":1,\"nåme\":2}") == nil)
        for place in [0, count / 2, count - 1] {
            for name in ["NAME\(place)x", "name\(place)\\u0078", "na\\u006De\(place)X"] {
                let claims = "{\"aud\":\"a\",\(names),\"\(name)\":1}"
                #expect(refusal(claims)?.message.contains("member \"") == true, "\(name)")
            }
        }
    }

    @Test("names that are alike and not equal are taken")
    func others() {
        let names = [
            "subs", "s", "su", "_claim_names", "email_verified", "emailverified", "nonce", "azp", "at_hash", "a b",
            "https://example.com/Sub", "sub.x", "x-sub", "é", "e", "漢字", "@", "`", "[", "{", "m\u{FC}ll", "mull", "$sub$",
            "__proto",
        ]
        let members = names.map { "\"\($0)\":{\"sub\":1}" }.joined(separator: ",")
        #expect(refusal("{\"aud\":\"a\",\(members)}") == nil)
    }

    @Test(
        "a name with a control character, or with a meaning of its own to a parser, is refused at any depth",
        arguments: [
            #"sub\u0000"#, #"\u0000sub"#, #"a\nb"#, #"\u001f"#, #"a\u007f"#, "a\u{7F}", "a\u{85}", #"\u0080"#, "__proto__",
            #"\ud836\udd1e"#, #"\u005f_proto__"#, "$serde_json::private::Number", "$serde_json::private::RawValue",
        ])
    func misread(_ name: String) {
        for claims in ["{\"aud\":\"a\",\"\(name)\":1}", "{\"aud\":\"a\",\"x\":[{\"b\":1,\"\(name)\":1}]}"] {
            #expect(refusal(claims)?.reason == .claimsInvalid, "\(claims)")
        }
        #expect(refusal("{\"aud\":\"a\",\"\(String(repeating: "\u{301}", count: 31))\":1}")?.reason == .claimsInvalid)
    }

    @Test(
        "a value that some parsers cut short or change is refused",
        arguments: [
            #"{"aud":"a","sub":"admin\u0000:cart"}"#, #"{"aud":"a\u0000b"}"#, #"{"aud":["b","a\u0000"]}"#,
            #"{"aud":"a","x":["\u0000"]}"#, #"{"aud":"a","sub":"admin\ncart"}"#, #"{"aud":"a\u007f"}"#, "{\"aud\":\"a\u{85}\"}",
            #"{"aud":"a","sub":"x\ud836\udd1e"}"#, #"{"aud":"a","jti":"\t"}"#, #"{"aud":"a","iss":"\u001b"}"#,
            #"{"aud":"a","iat":-0}"#, #"{"aud":"a","exp":-0}"#,
            #"{"aud":"a","exp":4102444800.0}"#, #"{"aud":"a","exp":1e9}"#, #"{"aud":"a","exp":18446744073709551617}"#,
        ])
    func values(_ claims: String) {
        let error = refusal(claims)
        #expect(error?.reason == .claimsInvalid, "\(claims)")
        #expect(error?.message.contains("admin") == false)
    }

    @Test("what is not ambiguous is still taken: control characters and -0 in other claims, an aud of one element")
    func taken() {
        #expect(refusal(#"{"aud":["a"],"x":"line\nline","y":-0,"z":[1.5e3,"\u001b"],"sub":"ünï:K"}"#) == nil)
        #expect(refusal(#"{"aud":"a","sub":"𝤞","𝤞":"\ud836\udd1e"}"#) == nil)
    }

    @Test("what the protocol's own names are to parsers that ignore case, dashes and underscores, they are alone")
    func ownNames() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("protocol.md")
        let blocks = try String(contentsOf: path, encoding: .utf8).split(separator: "```json\n").dropFirst()
            .compactMap { $0.split(separator: "```", maxSplits: 1).first }
        #expect(blocks.count > 20)
        for block in blocks {
            let text = Array(block.replacing("_", with: "").utf8)
            var scanner = JSONScanner(text, in: text.indices, checking: [.names, .readings])
            scanner.skipWhitespace()
            #expect(throws: Never.self, "\(block)") { try scanner.skipValue() }
        }
    }
}
