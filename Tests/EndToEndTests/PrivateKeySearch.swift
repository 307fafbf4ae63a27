import Crypto
import Foundation

/// Looks for the private halves of P-256 keys whose public halves are known: whatever 32 bytes make one of them are it.
struct PrivateKeySearch: Sendable {
    /// What private keys of any kind come wrapped in.
    static let markers: [(name: String, bytes: Data)] =
        ["PRIVATE KEY-----", "\"d\":\"", "openssh-key-v1"].map { ("a private key (\($0))", Data($0.utf8)) }

    /// The kid of each public key, by its X and Y.
    private(set) var kids: [Data: String] = [:]

    mutating func add(kid: String, publicKey: [UInt8]) {
        kids[Data(publicKey)] = kid
    }

    /// The kids of the keys that stand in `data`, as bytes or in a hex or base64 text.
    func kidsHeld(in data: Data) -> Set<String> {
        guard !kids.isEmpty else { return [] }
        let bytes = Array(data)
        let candidates = ([bytes] + Self.texts(in: bytes)).reduce(into: Set<ArraySlice<UInt8>>()) { candidates, bytes in
            Self.collectCandidates(in: bytes, &candidates)
        }
        return Set(candidates.compactMap { kid(ofPrivateKey: $0) })
    }

    private func kid(ofPrivateKey scalar: ArraySlice<UInt8>) -> String? {
        guard let key = try? P256.Signing.PrivateKey(rawRepresentation: scalar) else { return nil }
        return kids[key.publicKey.rawRepresentation]
    }

    private static let length = 32

    /// Every 32 bytes that look like a random number. A multiplication costs too much for the others: among 32 random bytes
    /// five zeroes, or nothing but printable ASCII, come up less than once in a million times.
    private static func collectCandidates(in bytes: [UInt8], _ candidates: inout Set<ArraySlice<UInt8>>) {
        var zeroes = 0
        var printables = 0
        func count(_ byte: UInt8, _ change: Int) {
            if byte == 0 { zeroes += change }
            if byte >= 0x20, byte < 0x7F { printables += change }
        }
        for end in bytes.indices {
            count(bytes[end], 1)
            if end >= length { count(bytes[end - length], -1) }
            guard end + 1 >= length, zeroes < 5, printables < length else { continue }
            candidates.insert(bytes[(end + 1 - length)...end])
        }
    }

    /// The bytes that runs of hex digits and of base64 characters stand for, where they are long enough for a key.
    private static func texts(in bytes: [UInt8]) -> [[UInt8]] {
        let runs = Set(bytes.split { !isBase64($0) }.filter { $0.count >= 43 })
        // Where in the run the text begins is not known.
        return runs.flatMap { run in (0..<4).compactMap { base64(run.dropFirst($0)) } + hex(run) }
    }

    /// What a text stands for that begins a group of four characters; its last group need not be full.
    private static func base64(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let whole = String(decoding: text.dropLast(text.count % 4 == 1 ? 1 : 0), as: UTF8.self)
        let padded =
            whole.replacing("-", with: "+").replacing("_", with: "/")
            + String(repeating: "=", count: (4 - whole.utf8.count % 4) % 4)
        return Data(base64Encoded: padded).map { Array($0) }
    }

    private static func hex(_ run: ArraySlice<UInt8>) -> [[UInt8]] {
        let digits = run.map { byte in byte < 0x80 ? Character(UnicodeScalar(byte)).hexDigitValue : nil }
        return digits.split(separator: nil).filter { $0.count >= 2 * length }.flatMap { digits in
            (0..<2).map { offset in
                let digits = Array(digits.dropFirst(offset).compactMap(\.self))
                return (0..<digits.count / 2).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }
            }
        }
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
