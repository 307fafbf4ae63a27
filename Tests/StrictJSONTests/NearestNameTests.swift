import Testing

@testable import StrictJSON

@Suite("The nearest name")
struct NearestNameTests {
    @Test(
        "is one of which a third at most is wrong, swapped letters being one mistake",
        arguments: [
            ("isuer", "issuer"), ("ISSUER", "issuer"), ("isseur", "issuer"), ("claim", "claims"), ("x", nil), ("", nil),
            ("payment", nil), ("lifetimeSecond", "lifetimeSeconds"), (String(repeating: "issuer", count: 11), nil),
        ] as [(String, String?)])
    func nearestName(name: String, meant: String?) {
        #expect(nearest(to: name, among: ["issuer", "claims", "lifetimeSeconds", "payload"]) == meant)
    }

    @Test("is the first of equals")
    func equals() {
        #expect(nearest(to: "kez", among: ["key", "kex"]) == "key")
    }
}
