import CPlatform

/// Operations on buffers that hold a secret.
public enum SecretBytes {
    /// The most bytes a secret may have, 4 KiB.
    public static let limit = 4096

    /// Overwrites a buffer with zeros and empties it.
    ///
    /// Reaches this buffer only: an array that shares its storage with another is copied by the first write, and the other
    /// keeps the secret. So hold a secret in one variable and never assign it to a second.
    public static func wipe(_ bytes: inout [UInt8]) {
        unsafe bytes.withUnsafeMutableBytes { raw in
            unsafe privyseal_wipe(raw.baseAddress, raw.count)
        }
        bytes = []
    }

    /// The first `count` bytes of `buffer` without one trailing newline (LF or CR LF), in a buffer of their own.
    static func trimmed(_ buffer: [UInt8], count: Int) -> [UInt8] {
        var end = count
        if end > 0, buffer[end - 1] == UInt8(ascii: "\n") {
            end -= 1
            if end > 0, buffer[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        }
        return Array(buffer[..<end])
    }
}
