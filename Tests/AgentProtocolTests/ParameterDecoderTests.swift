import Testing

@testable import AgentProtocol

@Suite("Parameters")
struct ParameterDecoderTests {
    @Test("parameters are read by name, null counting as absent")
    func accepted() throws {
        let parameters = try ParameterDecoder.decode(
            RotateParameters.self,
            from: JSONSlice(validating: Array(#"{"ifGeneration":4,"issu\u0065r":"demo","dryRun":null}"#.utf8)))
        #expect(parameters.issuer == "demo")
        #expect(parameters.ifGeneration == 4)
        #expect(parameters.dryRun == nil)
        #expect(throws: Never.self) { try ParameterDecoder.decode(HealthParameters.self, from: nil) }
        #expect(throws: Never.self) { try ParameterDecoder.decode(IssuerListParameters.self, from: nil) }
    }

    @Test(
        "wrong parameters are named",
        arguments: [
            ("{}", "missing parameter \"issuer\"", nil),
            (#"{"issuer":null}"#, "parameter \"issuer\" must be a string", nil),
            (#"{"issuer":7}"#, "parameter \"issuer\" must be a string", nil),
            (#"{"issuer":"a","dryRun":1}"#, "parameter \"dryRun\" must be true or false", nil),
            (#"{"issuer":"a","ifGeneration":"4"}"#, "parameter \"ifGeneration\" must be an integer", nil),
            (#"{"issuer":"a","ifGeneration":4.0}"#, "parameter \"ifGeneration\" must be an integer", nil),
            (#"{"issuer":"a","ifGeneration":9223372036854775808}"#, "parameter \"ifGeneration\" must be an integer", nil),
            (#"{"issuer":"a","dryrun":true}"#, "unknown parameter \"dryrun\"", "did you mean \"dryRun\"?"),
            (#"{"issuer":"a","isuer":"b"}"#, "unknown parameter \"isuer\"", "did you mean \"issuer\"?"),
            (
                #"{"issuer":"a","banana":"b"}"#, "unknown parameter \"banana\"",
                "\"rotate\" takes issuer, dryRun, ifGeneration, whenSafe, noRevoke, cancel"
            ),
            (
                #"{"issuer":"a","\u0069ssuer":"b"}"#,
                "the parameters are ambiguous: repeated member \"issuer\" at byte 14", nil
            ),
        ] as [(String, String, String?)])
    func refused(_ params: String, _ message: String, _ hint: String?) throws {
        let slice = try JSONSlice(validating: Array(params.utf8))
        let error = #expect(throws: ProtocolError.self) { try ParameterDecoder.decode(RotateParameters.self, from: slice) }
        #expect(error?.reason == .invalidParams)
        #expect(error?.message == message)
        #expect(error?.hint == hint)
    }

    @Test("a method without parameters says so")
    func none() throws {
        let slice = try JSONSlice(validating: Array(#"{"verbose":true}"#.utf8))
        let error = #expect(throws: ProtocolError.self) { try ParameterDecoder.decode(HealthParameters.self, from: slice) }
        #expect(error?.hint == "\"health\" takes no parameters")
    }
}
