import Foundation
import Platform
import Testing

@Suite struct GzipDecoderTests {
    /// Compressed by gzip(1) in `fixture`.
    private static let text = String(repeating: "record of an audit log\n", count: 4_000)

    @Test("what gzip(1) compresses is read back, whatever the size of the pieces it comes in", arguments: [1, 7, 1_000, 1 << 20])
    func whole(step: Int) throws {
        #expect(try Self.decoded(Self.compressed(), step: step) == (Self.text, true))
    }

    @Test("one member after another is one text, and zeros after the last are padding")
    func members() throws {
        let member = try Self.compressed()
        #expect(try Self.decoded(member + member) == (Self.text + Self.text, true))
        #expect(try Self.decoded(member + [UInt8](repeating: 0, count: 700)) == (Self.text, true))
        #expect(try Self.decoded(member + member, step: member.count) == (Self.text + Self.text, true))
    }

    @Test("one that is cut short is not whole, wherever the cut is, and gives what came before")
    func cut() throws {
        let member = try Self.compressed()
        for length in [1, 9, 12, member.count / 2, member.count - 8, member.count - 1] {
            let (text, isWhole) = try Self.decoded(Array(member[..<length]))
            #expect(!isWhole && Self.text.hasPrefix(text))
        }
        #expect(try !Self.decoded(member + member[..<20]).isWhole)
        #expect(try !Self.decoded([]).isWhole)
    }

    @Test("changed data, another checksum and what is no gzip are refused")
    func damaged() throws {
        let member = try Self.compressed()
        for place in [3, member.count - 6, member.count - 2] {
            var changed = member
            changed[place] ^= 0xFF
            #expect(throws: PlatformError(.damaged, "", hint: "")) { try Self.decoded(changed) }
        }
        for other in [Array("hello, world".utf8), member + Array("more".utf8)] {
            #expect(throws: PlatformError(.damaged, "", hint: "")) { try Self.decoded(other) }
        }
    }

    @Test("what grows without bound comes in pieces of 64 KiB at most")
    func bounded() throws {
        var decoder = try GzipDecoder()
        var (count, longest) = (0, 0)
        try decoder.decode(Self.compressed()) { piece in
            count += piece.count
            longest = max(longest, piece.count)
        }
        #expect(count == Self.text.utf8.count && longest <= 1 << 16)
    }

    private static func decoded(_ bytes: [UInt8], step: Int = .max) throws -> (text: String, isWhole: Bool) {
        var decoder = try GzipDecoder()
        var text: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            try decoder.decode(Array(rest.prefix(step))) { text += $0 }
            rest = rest.dropFirst(step)
        }
        return (String(decoding: text, as: UTF8.self), decoder.isWhole)
    }

    private static func compressed() throws -> [UInt8] {
        Array(try #require(Data(base64Encoded: fixture)))
    }

    private static let fixture =
        "H4sIAAAAAAACA+3IwQmAMBAAsH+nuNWKtSKIB4fd3zH6SZ6p88gakTP6G32N+4snr1Zaa6211lprrbXWWmuttdZaa6211lprrbXW"
        + "WmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXW"
        + "WmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXW"
        + "WmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXWWmuttdZaa6211lprrbXWWmu9u38+X9NMYGcBAA=="
}
