import Glibc

/// A PIN to give to a token: a C string in one buffer, never printed, wiped when the last reference goes.
@safe
public final class TokenPIN: Sendable {
    // Written in init before anyone else can see it, only read until deinit: no two threads can conflict.
    private nonisolated(unsafe) let buffer: UnsafeMutableBufferPointer<CChar>

    /// A PIN of these bytes, usually UTF-8. The caller's own copy stays the caller's to wipe.
    ///
    /// Throws ``ProvisioningError`` with the code `pinUnusable` when it is empty or holds a zero byte: libp11 takes a C
    /// string and would set a shorter PIN in silence.
    public init(_ bytes: [UInt8]) throws(ProvisioningError) {
        guard !bytes.isEmpty, !bytes.contains(0) else {
            throw ProvisioningError(
                .pinUnusable, bytes.isEmpty ? "the PIN is empty" : "the PIN holds a zero byte",
                hint: "give a PIN of printable characters")
        }
        unsafe buffer = .allocate(capacity: bytes.count + 1)
        for (index, byte) in bytes.enumerated() { unsafe buffer[index] = CChar(bitPattern: byte) }
        unsafe buffer[bytes.count] = 0
    }

    deinit {
        unsafe explicit_bzero(buffer.baseAddress!, buffer.count)
        unsafe buffer.deallocate()
    }

    @safe
    func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        unsafe body(UnsafePointer(buffer.baseAddress!))
    }
}

extension TokenPIN: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "TokenPIN(hidden)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
