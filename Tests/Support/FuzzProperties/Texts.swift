import AgentProtocol
import Foundation
import JOSE
import KeyLifecycle
import Platform

extension FuzzTarget {
    static let jws = FuzzTarget("jws", "a JWT in compact serialization, and base64url", longestInput: 2_048) {
        text throws(Violation) in
        if let jws = try? CompactJWS(parsing: text) {
            let parts = [jws.header, jws.payload, jws.signature].map(Base64URL.encode)
            try require(Array(parts.joined(separator: [UInt8(ascii: ".")])) == text, "two texts of one JWT were taken")
            try require(text.starts(with: jws.signingInput + [UInt8(ascii: ".")]), "the signature is over another text")
        }
        let read = try? Base64URL.decode(text)
        if let read { try require(Base64URL.encode(read) == text, "two texts of the same bytes were taken") }
        // Whatever the bytes are, their text is taken.
        try require((try? Base64URL.decode(Base64URL.encode(text))) == text, "the text of the bytes means others")
        let padded =
            String(decoding: text, as: UTF8.self).replacing("-", with: "+").replacing("_", with: "/")
            + String(repeating: "=", count: (4 - text.count % 4) % 4)
        let isAlphabet = !text.contains { "+/=".utf8.contains($0) }
        if isAlphabet, let other = Data(base64Encoded: padded), Base64URL.encode(Array(other)) == text {
            try require(read == Array(other), "Foundation reads other bytes")
        }
    }

    static let values = FuzzTarget("values", "durations, file modes, moments and names", longestInput: 64) {
        bytes throws(Violation) in
        let text = String(decoding: bytes, as: UTF8.self)
        try checkDuration(text)
        if let mode = FileMode.parse(text) {
            try require(mode <= 0o7777, "a mode has more bits than a file")
            try require(FileMode.text(mode) == (text.utf8.count == 3 ? "0" + text : text), "\(text) is another mode")
        }
        if let time = WireTime(text) {
            try require(time.text == text, "\(text) is another moment")
        }
        if let name = IssuerName(text) {
            try require(name.text == text && text.wholeMatch(of: /[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/) != nil, "no issuer name")
        }
        if bytes.count == 8 {
            let seconds = bytes.reduce(Int64(0)) { $0 << 8 | Int64($1) }
            let time = WireTime(seconds: seconds)
            try require(WireTime(time.text) == time, "\(time) is another moment when it is read")
            let written = DurationText.format(seconds: seconds)
            try require(seconds < 0 || (try? DurationText.parse(written)) == seconds, "\(written) is not \(seconds) s")
        }
    }

    private static func checkDuration(_ text: String) throws(Violation) {
        let seconds: Int64
        do throws(PlatformError) {
            seconds = try DurationText.parse(text)
        } catch {
            return try require(error.code == .malformed || error.code == .tooLong, "\(error.code) is no refusal of a duration")
        }
        try require(seconds >= 0, "a duration is negative")
        let written = DurationText.format(seconds: seconds)
        try require((try? DurationText.parse(written)) == seconds, "\(written) is another duration than \(text)")
    }
}
