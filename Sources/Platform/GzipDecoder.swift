import CZlib

/// Decompresses a gzip file (RFC 1952), member after member, as its bytes come: 64 KiB are held at a time, whatever it grows to.
@safe public struct GzipDecoder: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>
    private var output = [UInt8](repeating: 0, count: 1 << 16)
    /// Whether a member has begun and not ended.
    private var isInside = false
    /// Whether a member has ended.
    private var hasMember = false

    /// What zlib adds to the size of its window to be told that a header of gzip, and its checksum, are to be read.
    private static let gzipWindow: CInt = 15 + 16

    /// Throws ``PlatformError`` when zlib cannot be set up.
    public init() throws(PlatformError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let status = unsafe inflateInit2_(stream, Self.gzipWindow, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            unsafe stream.deallocate()
            throw PlatformError(.systemCall, "zlib cannot be used: inflateInit2 returned \(status)", hint: "update zlib")
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Whether a file that begins with these bytes is one of gzip.
    public static func isGzip(_ beginning: some Sequence<UInt8>) -> Bool {
        beginning.starts(with: [0x1F, 0x8B])
    }

    /// Whether the file may end here: after a whole member, with the checksum it says.
    public var isWhole: Bool { hasMember && !isInside }

    /// Decompresses the file's next bytes, and calls `body` with what they hold, 64 KiB at a time at most.
    ///
    /// Throws ``PlatformError`` with the code `damaged` for what is no gzip or has another checksum than it says, and what `body`
    /// throws.
    public mutating func decode(_ input: [UInt8], _ body: (ArraySlice<UInt8>) throws -> Void) throws {
        var rest = input[...]
        while true {
            // What pads a file to whole blocks belongs to no member.
            if isWhole { rest = rest.drop { $0 == 0 } }
            if rest.isEmpty, !isInside { return }
            let step = inflate(rest)
            rest = rest.dropFirst(step.used)
            if step.made > 0 { try body(output[..<step.made]) }
            switch step.status {
            case Z_STREAM_END:
                isInside = false
                hasMember = true
                unsafe inflateReset(stream)
            case Z_OK, Z_BUF_ERROR:
                isInside = true
                // With room left in the output, everything that came has been used.
                if step.made < output.count { return }
            default:
                throw PlatformError(
                    .damaged, "the gzip data is damaged", hint: "take another copy of the file; gzip -t checks one")
            }
        }
    }

    private mutating func inflate(_ input: ArraySlice<UInt8>) -> (used: Int, made: Int, status: CInt) {
        let stream = unsafe stream
        return unsafe input.withUnsafeBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe stream.pointee.next_in = unsafe UnsafeMutablePointer(mutating: input.baseAddress)
                unsafe stream.pointee.avail_in = uInt(input.count)
                unsafe stream.pointee.next_out = output.baseAddress
                unsafe stream.pointee.avail_out = uInt(output.count)
                let status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
                return unsafe (
                    used: input.count - Int(stream.pointee.avail_in), made: output.count - Int(stream.pointee.avail_out), status
                )
            }
        }
    }
}
