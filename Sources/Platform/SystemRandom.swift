import CPlatform

/// Random bytes from the kernel (getrandom(2)).
public enum SystemRandom {
    /// `count` random bytes.
    ///
    /// Waits for the kernel's generator to be seeded. There is nothing to fall back to: a kernel that refuses ends the process.
    public static func bytes(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            unsafe fill(UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    /// A random UUID (RFC 9562 §5.4, version 4) in lower case: `8f0c2f0e-6d0f-4f55-9f0a-3d3f2f6f7c11`.
    public static func uuid() -> String {
        unsafe withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { raw in
            unsafe fill(raw)
            return unsafe uuidText(raw)
        }
    }

    /// The UUID of version 4 that 16 random bytes make; exactly 16 must be given.
    public static func uuid(from bytes: [UInt8]) -> String {
        precondition(bytes.count == 16, "a UUID has 16 bytes")
        return unsafe bytes.withUnsafeBytes { raw in unsafe uuidText(raw) }
    }

    /// Random bytes in lower-case hexadecimal, two digits each.
    public static func hexadecimal(bytes count: Int) -> String {
        String(decoding: bytes(count).flatMap { [digit($0 >> 4), digit($0 & 15)] }, as: UTF8.self)
    }

    private static func uuidText(_ bytes: some RandomAccessCollection<UInt8>) -> String {
        unsafe String(unsafeUninitializedCapacity: 36) { text in
            var position = 0
            for (index, byte) in bytes.enumerated() {
                if index == 4 || index == 6 || index == 8 || index == 10 {
                    unsafe text[position] = UInt8(ascii: "-")
                    position += 1
                }
                let value =
                    switch index {
                    case 6: byte & 0x0f | 0x40
                    case 8: byte & 0x3f | 0x80
                    default: byte
                    }
                unsafe text[position] = digit(value >> 4)
                unsafe text[position + 1] = digit(value & 15)
                position += 2
            }
            return position
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        let failure = unsafe privyseal_random(buffer.baseAddress, buffer.count)
        precondition(failure == 0, "getrandom: \(systemErrorText(failure))")
    }
}
