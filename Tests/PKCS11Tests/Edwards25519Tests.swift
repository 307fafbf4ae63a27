import PKCS11
import Testing

@Suite("Edwards25519")
struct Edwards25519Tests {
    static let point = (0..<32).map { UInt8($0 + 4) }

    @Test("the curve is known by its object identifier and by its name")
    func parameters() {
        #expect(Edwards25519(parameters: [0x06, 0x03, 0x2B, 0x65, 0x70]) == .objectIdentifier)
        #expect(Edwards25519(parameters: [0x13, 0x0C] + Array("edwards25519".utf8)) == .printableString)
    }

    @Test(
        "another curve is not taken for it",
        arguments: [
            [], [0x06, 0x03, 0x2B, 0x65, 0x71], [0x06, 0x03, 0x2B, 0x65, 0x6E], [0x13, 0x0A] + Array("edwards448".utf8),
            EllipticCurve.p256.parameters,
        ] as [[UInt8]])
    func otherCurve(parameters: [UInt8]) {
        #expect(Edwards25519(parameters: parameters) == nil)
    }

    @Test(
        "the point is taken raw, in an OCTET STRING and in a BIT STRING",
        arguments: [point, [0x04, 0x20] + point, [0x03, 0x21, 0x00] + point])
    func points(value: [UInt8]) throws {
        #expect(try Edwards25519.point(fromAttribute: value) == Self.point)
    }

    @Test(
        "what is no point is malformed",
        arguments: [
            [], Array(point.dropLast()), point + [0], [0x04, 0x21] + point, [0x03, 0x21, 0x01] + point, [0x30, 0x20] + point,
            [0x04, 0x20] + point.dropLast(),
        ])
    func malformed(value: [UInt8]) {
        let error = #expect(throws: PKCS11Error.self) { try Edwards25519.point(fromAttribute: value) }
        #expect(error?.code == .attributeMalformed)
    }
}
