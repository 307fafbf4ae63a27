import PKCS11
import Testing

@Suite("Elliptic curve")
struct EllipticCurveTests {
    static let curves: [EllipticCurve] = [.p256, .p384, .p521]

    private func point(on curve: EllipticCurve, first: UInt8 = 0x04) -> [UInt8] {
        [first] + (0..<2 * curve.coordinateLength).map { UInt8(truncatingIfNeeded: $0) }
    }

    @Test("a point is accepted raw and as a DER OCTET STRING", arguments: curves)
    func bothForms(curve: EllipticCurve) throws {
        let point = point(on: curve)
        let header: [UInt8] = point.count < 128 ? [4, UInt8(point.count)] : [4, 0x81, UInt8(point.count)]
        #expect(try curve.point(fromAttribute: point) == point)
        #expect(try curve.point(fromAttribute: header + point) == point)
    }

    @Test("a raw point whose X begins as a DER length does is not unwrapped")
    func lookalike() throws {
        var point = point(on: .p256)
        point[1] = 0x41
        point[2] = 0x04
        #expect(try EllipticCurve.p256.point(fromAttribute: point) == point)
    }

    @Test("the length of a P-521 point in one byte, as tpm2-pkcs11 writes it, is read; no other length is taken for one")
    func shortLength() throws {
        let point = point(on: .p521)
        #expect(try EllipticCurve.p521.point(fromAttribute: [4, 133] + point) == point)
        for value in [[4, 132] + point, [4, 133] + point.dropLast(), [4, 133] + point + [0], [3, 133] + point] {
            #expect(throws: PKCS11Error.self) { try EllipticCurve.p521.point(fromAttribute: value) }
        }
        // Below 128 a byte more is no DER either, and nobody is known to write it.
        #expect(throws: PKCS11Error.self) { try EllipticCurve.p384.point(fromAttribute: [4, 0x81, 97] + self.point(on: .p384)) }
    }

    @Test(
        "what is no uncompressed point is refused",
        arguments: [
            [], [4], [UInt8](repeating: 4, count: 64), [2] + [UInt8](repeating: 1, count: 32),
            [5] + [UInt8](repeating: 1, count: 64), [4, 64, 4] + [UInt8](repeating: 1, count: 64),
            [4, 65, 3] + [UInt8](repeating: 1, count: 64),
        ] as [[UInt8]])
    func noPoint(value: [UInt8]) {
        let error = #expect(throws: PKCS11Error.self) { try EllipticCurve.p256.point(fromAttribute: value) }
        #expect(error?.code == .attributeMalformed)
    }

    @Test("a curve is known by its parameters", arguments: curves)
    func parameters(curve: EllipticCurve) {
        #expect(EllipticCurve(parameters: curve.parameters) == curve)
        #expect(EllipticCurve(parameters: curve.parameters + [0]) == nil)
    }

    @Test("a signature of full width is left alone")
    func fullWidth() throws {
        let signature = [UInt8](0..<64)
        #expect(try EllipticCurve.p256.fixedWidthSignature(signature) == signature)
    }

    @Test("both halves of a shorter signature are padded on the left")
    func short() throws {
        #expect(
            try EllipticCurve.p256.fixedWidthSignature([1, 2, 3, 0, 5, 6])
                == [UInt8](repeating: 0, count: 29) + [1, 2, 3] + [UInt8](repeating: 0, count: 30) + [5, 6])
    }

    @Test("zeroes in front of a longer signature's halves are taken off")
    func long() throws {
        let (r, s) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        #expect(try EllipticCurve.p256.fixedWidthSignature([0, 0] + r + [0, 0] + s) == r + s)
    }

    @Test(
        "what is no pair of numbers on the curve is refused",
        arguments: [[], [1], [UInt8](repeating: 1, count: 63), [UInt8](repeating: 1, count: 66)] as [[UInt8]])
    func noSignature(value: [UInt8]) {
        let error = #expect(throws: PKCS11Error.self) { try EllipticCurve.p256.fixedWidthSignature(value) }
        #expect(error?.code == .signatureMalformed)
    }
}
