import Foundation
import TestSupport
import Testing

@testable import AgentProtocol

@Suite("Sign requests")
struct SignRequestTests {
    private func decode(_ params: String) throws -> SignRequest {
        try SignRequest.decode(JSONSlice(validating: Array(params.utf8)))
    }

    private func base64URL(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    @Test("claims are read without being taken apart")
    func claims() throws {
        let text =
            #"{ "sub":"s\u0061m", "aud" : ["a","b"],"iat":10,"nbf":-5,"exp":9007199254740991,"jti":"x","iss":"https://i/", "n":[1.0,{"a":null}] }"#
        let request = try decode(#"{"claims":\#(text),"issuer":"demo","lifetimeSeconds":600}"#)
        #expect(request.issuer == "demo")
        #expect(request.lifetimeSeconds == 600)
        #expect(!request.isPayload)
        let claims = request.claims
        #expect(claims.issuer == "https://i/")
        #expect(claims.subject == "sam")
        #expect(claims.audience == ["a", "b"])
        #expect(claims.issuedAt == 10)
        #expect(claims.notBefore == -5)
        #expect(claims.expiration == 9_007_199_254_740_991)
        #expect(claims.id != nil)
        #expect(claims.bytes == Array(text.utf8))
        #expect(claims.size == text.utf8.count)
    }

    @Test("absent claims come first, and the rest stays byte for byte")
    func filling() throws {
        let none = try decode(#"{"issuer":"demo","claims":{ "aud":"a" , "x":1.50}}"#).claims
        #expect(none.issuer == nil)
        #expect(none.id == nil)
        #expect(
            String(
                decoding: none.filling(issuer: "https://\"i\\\n", issuedAt: 1, notBefore: 2, expiration: 3, id: "j"),
                as: UTF8.self)
                == #"{"iss":"https://\"i\\\n","iat":1,"nbf":2,"exp":3,"jti":"j", "aud":"a" , "x":1.50}"#)
        let all = #"{"exp":3,"aud":"a","iss":"i","jti":"x","nbf":1,"iat":0}"#
        let kept = try decode(#"{"issuer":"demo","claims":\#(all)}"#).claims
        #expect(
            String(
                decoding: kept.filling(issuer: "j", issuedAt: 9, notBefore: 9, expiration: 9, id: "y"), as: UTF8.self) == all)
    }

    @Test("filled claims are the claims and what was filled in, to a full parser", arguments: 0..<10 as Range<UInt64>)
    func fillingIsSound(_ seed: UInt64) throws {
        var generator = DocumentGenerator(seed: seed)
        generator.writesControlCharacters = false
        for _ in 0..<50 {
            let extra = String(decoding: generator.document(), as: UTF8.self)
            let claims = try ClaimsObject(parsing: Array("{\"aud\":\"a\",\"extra\":\(extra)}".utf8))
            let payload = claims.filling(issuer: "i", issuedAt: 1, notBefore: 2, expiration: 3, id: "j")
            let object = try #require(try JSONSerialization.jsonObject(with: Data(payload)) as? [String: Any])
            #expect(Set(object.keys) == ["iss", "iat", "nbf", "exp", "jti", "aud", "extra"])
            #expect(object["exp"] as? Int == 3)
        }
    }

    @Test("all names beside the registered ones are told, however many there are", arguments: [0, 3, 63, 64, 65, 2_000])
    func otherNames(count: Int) throws {
        let names = (0..<count).map { "claim-\($0)" }
        let others = names.map { ",\"\($0)\":{\"sub\":1}" }.joined()
        let claims = try decode(#"{"issuer":"demo","claims":{"sub":"s","\u0061ud":"a"\#(others)}}"#).claims
        #expect(claims.otherNames == names)
    }

    @Test("a payload is kept byte for byte, white space included")
    func payload() throws {
        let text = " {\"iss\":\"i\",\n\"aud\":\"ü\",\"iat\":1,\"exp\":2}\n"
        let request = try decode(#"{"issuer":"demo","payload":"\#(base64URL(text))"}"#)
        #expect(request.isPayload)
        let claims = request.claims
        #expect(claims.bytes == Array(text.utf8))
        #expect(claims.size == text.utf8.count)
        #expect(claims.audience == ["ü"])
    }

    @Test(
        "what is wrong with the parameters is INVALID_PARAMS",
        arguments: [
            (#"{"claims":{"aud":"a"}}"#, "missing parameter \"issuer\""),
            (#"{"issuer":null,"claims":{"aud":"a"}}"#, "missing parameter \"issuer\""),
            (#"{"issuer":1,"claims":{"aud":"a"}}"#, "parameter \"issuer\" must be a string"),
            (#"{"issuer":"a"}"#, "missing parameter \"claims\" (or \"payload\")"),
            (#"{"issuer":"a","claims":null}"#, "missing parameter \"claims\" (or \"payload\")"),
            (#"{"issuer":"a","claims":{"aud":"a"},"payload":"e30"}"#, "parameters \"claims\" and \"payload\" exclude each other"),
            (#"{"issuer":"a","payload":{}}"#, "parameter \"payload\" must be a string"),
            (#"{"issuer":"a","claims":{"aud":"a"},"lifetimeSeconds":"1"}"#, "parameter \"lifetimeSeconds\" must be an integer"),
            (#"{"issuer":"a","claims":{"aud":"a"},"lifetimeSeconds":1.5}"#, "parameter \"lifetimeSeconds\" must be an integer"),
            (
                #"{"issuer":"a","claims":{"aud":"a"},"lifetimeSeconds":99999999999999999999}"#,
                "parameter \"lifetimeSeconds\" must be an integer"
            ),
            (#"{"issuer":"a","claims":{"aud":"a"},"lifetime":600}"#, "unknown parameter \"lifetime\""),
            (#"{"issuer":"a","claims":{"aud":"a"},"\u0069ssuer":"b"}"#, "repeated parameter \"issuer\""),
            (#"{"issuer":"a","claims":{"aud":"a"},"claims":{"aud":"b"}}"#, "repeated parameter \"claims\""),
            (
                #"{"issuer":"a","lifetimeSeconds":600,"payload":"e30"}"#,
                "parameter \"lifetimeSeconds\" does not go with \"payload\""
            ),
        ])
    func parameters(_ params: String, _ message: String) {
        let error = #expect(throws: ProtocolError.self) { try decode(params) }
        #expect(error?.reason == .invalidParams)
        #expect(error?.message == message)
    }

    @Test("params are required")
    func noParams() {
        let error = #expect(throws: ProtocolError.self) { try SignRequest.decode(nil) }
        #expect(error?.message == "missing parameter \"issuer\"")
    }

    @Test(
        "what is wrong with the claims is CLAIMS_INVALID, in either form",
        arguments: [
            ("[]", "must be a JSON object"), ("\"a\"", "must be a JSON object"), ("1", "must be a JSON object"),
            ("{}", "\"aud\""), (#"{"sub":"a"}"#, "\"aud\""), (#"{"aud":""}"#, "\"aud\" must not be empty"),
            (#"{"aud":[]}"#, "\"aud\" must not be empty"), (#"{"aud":["a",""]}"#, "\"aud\" must not be empty"),
            (#"{"aud":7}"#, "\"aud\" must be a string"), (#"{"aud":null}"#, "\"aud\" must be a string"),
            (#"{"aud":["a",7]}"#, "\"aud\" must be a string"), (#"{"aud":{"a":1}}"#, "\"aud\" must be a string"),
            (#"{"aud":[["a"]]}"#, "\"aud\" must be a string"),
            (#"{"aud":"a","exp":1.5}"#, "\"exp\" must be an integer"), (#"{"aud":"a","exp":1e9}"#, "\"exp\" must be an integer"),
            (#"{"aud":"a","exp":"1"}"#, "\"exp\" must be an integer"), (#"{"aud":"a","exp":null}"#, "\"exp\" must be an integer"),
            (#"{"aud":"a","iat":1.0}"#, "\"iat\" must be an integer"), (#"{"aud":"a","nbf":[1]}"#, "\"nbf\" must be an integer"),
            (#"{"aud":"a","\u0065xp":1.5}"#, "\"exp\" must be an integer"),
            (#"{"aud":"a","iss":7}"#, "\"iss\" must be a string"), (#"{"aud":"a","iss":null}"#, "\"iss\" must be a string"),
            (#"{"aud":"a","sub":7}"#, "\"sub\" must be a string"), (#"{"aud":"a","jti":7}"#, "\"jti\" must be a string"),
            (#"{"aud":"a","aud":"b"}"#, "repeated member \"aud\""), (#"{"aud":"a","\u0061ud":"b"}"#, "repeated member \"aud\""),
            (#"{"aud":"a","x":{"y":[{"z":1,"z":2}]}}"#, "repeated member \"z\""),
            (#"{"aud":"a","exp":9007199254740992}"#, "parsers disagree"), (#"{"aud":"a","x":[1e999]}"#, "parsers disagree"),
            (#"{"aud":"a","x":-9007199254740992}"#, "parsers disagree"),
        ])
    func invalidClaims(_ claims: String, _ text: String) {
        for params in [
            #"{"issuer":"a","claims":\#(claims)}"#, #"{"issuer":"a","payload":"\#(base64URL(claims))"}"#,
        ] {
            let error = #expect(throws: ProtocolError.self) { try decode(params) }
            #expect(error?.reason == .claimsInvalid)
            #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
        }
    }

    @Test(
        "what is wrong with a payload is CLAIMS_INVALID",
        arguments: [
            ("e30=", "base64url"), ("e3", "base64url"), ("e", "base64url"), ("e+0", "base64url"), ("e31", "base64url"),
            ("", "not JSON"), ("_w", "not JSON"), ("ey", "base64url"),
        ])
    func invalidPayloads(_ payload: String, _ text: String) {
        let error = #expect(throws: ProtocolError.self) { try decode(#"{"issuer":"a","payload":"\#(payload)"}"#) }
        #expect(error?.reason == .claimsInvalid)
        #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
    }

    @Test("no message shows a claim's value")
    func noValues() {
        let error = #expect(throws: ProtocolError.self) {
            try decode(#"{"issuer":"a","claims":{"aud":"a","sub":"secret","exp":"secret"}}"#)
        }
        #expect(error.map { "\($0)\($0.hint ?? "")".contains("secret") } == false)
    }
}
