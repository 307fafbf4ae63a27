import Testing

@testable import OIDCFrontend

@Suite("If-None-Match")
struct EntityTagConditionTests {
    @Test(
        "names the document",
        arguments: [
            #""x""#, #"W/"x""#, "*", " * ", #""a", "x""#, #""a","x","b""#, #"W/"a" , W/"x""#, #",, "x""#, #""a,b", "x""#,
        ])
    func matches(field: String) {
        #expect(EntityTagCondition(field).matches("\"x\""))
        #expect(EntityTagCondition(field).matches("W/\"x\""))
    }

    @Test(
        "does not name the document",
        arguments: [
            "", #""y""#, #""X""#, "x", #""x"#, #""ax""#, #""a, x""#, #"w/"x""#, #""a" "x"#, #"*, "y""#, #""a"b, "x""#, "\"\"",
            ",",
        ])
    func differs(field: String) {
        #expect(!EntityTagCondition(field).matches("\"x\""))
    }
}
