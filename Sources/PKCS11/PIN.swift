import CCryptoki
import Glibc

/// A PIN, held in one buffer outside the heap and never printed.
///
/// The buffer is kept out of swap where the limit on locked memory allows, kept out of core dumps, and wiped when the
/// last reference goes.
@safe
public final class PIN: Sendable {
    // Allocated and written in init before anyone else can see it, only read until deinit: no two threads can conflict.
    private nonisolated(unsafe) let buffer: UnsafeMutableRawBufferPointer
    private let count: Int
    /// Why the buffer may be written to swap, as strerror(3) has it; `nil` when mlock(2) keeps it out.
    public let swapObstacle: String?

    /// A PIN of these bytes, usually UTF-8. The caller's own copy stays the caller's to wipe.
    public init(_ bytes: [UInt8]) {
        count = bytes.count
        unsafe (buffer, swapObstacle) = Self.allocate(atLeast: bytes.count)
        unsafe buffer.copyBytes(from: bytes)
    }

    /// A PIN of these bytes, which are overwritten with zeroes.
    ///
    /// No other variable may hold the same array: Swift would then give the caller a copy and wipe only that.
    public convenience init(wiping bytes: inout [UInt8]) {
        self.init(bytes)
        unsafe bytes.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe explicit_bzero(start, bytes.count)
        }
    }

    deinit {
        unsafe explicit_bzero(buffer.baseAddress!, buffer.count)
        unsafe munmap(buffer.baseAddress!, buffer.count)
    }

    /// Whether it has a length that a token takes, in bytes; see ``TokenInfo/pinLengths``.
    public func hasLength(in lengths: ClosedRange<UInt>) -> Bool { lengths.contains(UInt(count)) }

    /// Whether there is no byte in it.
    public var isEmpty: Bool { count == 0 }

    /// Calls with the bytes as Cryptoki wants them.
    @safe
    func withBytes(_ body: (UnsafeMutablePointer<CK_UTF8CHAR>, CK_ULONG) -> CK_RV) -> CK_RV {
        unsafe body(buffer.baseAddress!.assumingMemoryBound(to: CK_UTF8CHAR.self), CK_ULONG(count))
    }

    /// Whole pages of their own, because locking and wiping work on pages.
    private static func allocate(atLeast count: Int) -> (UnsafeMutableRawBufferPointer, swapObstacle: String?) {
        let page = sysconf(CInt(_SC_PAGESIZE))
        let size = max(1, (count + page - 1) / page) * page
        let start = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        // Traps as every other allocation of the process does when there is no memory left.
        guard let start = unsafe start, unsafe start != MAP_FAILED else { fatalError("out of memory") }
        // Both are worth having but no reason to refuse service: RLIMIT_MEMLOCK may be small, a kernel old.
        let obstacle = unsafe mlock(start, size) == 0 ? nil : unsafe String(cString: strerror(errno))
        unsafe madvise(start, size, MADV_DONTDUMP)
        return unsafe (UnsafeMutableRawBufferPointer(start: start, count: size), obstacle)
    }
}

extension PIN: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "PIN(hidden)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
