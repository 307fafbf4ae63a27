/// Lines on their way out of a connection, as far as its socket has not taken them.
struct OutgoingLines: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where what has not been taken begins.
    private(set) var start = 0
    /// Who is to be told once the bytes before a place have been taken.
    private var waiting: [(place: Int, taken: @Sendable () -> Void)] = []
    /// Whether the socket had no room for all of it.
    private(set) var isHeldUp = false

    /// Bytes that have been taken before their memory is given back.
    private static let compaction = 65_536

    /// Bytes that have not been taken.
    var count: Int { bytes.count - start }

    /// Whether the socket may take something.
    var isSendable: Bool { count > 0 && !isHeldUp }

    /// - Parameter taken: called once the socket has taken the line.
    mutating func append(_ line: [UInt8], taken: (@Sendable () -> Void)? = nil) {
        // The usual line is alone, and is then not copied.
        if bytes.isEmpty { bytes = line } else { bytes += line }
        if let taken { waiting.append((bytes.count, taken)) }
    }

    /// The socket has taken so many bytes. It may take more.
    ///
    /// - Parameter taken: gets who is to be told.
    mutating func hasSent(_ number: Int, taken: inout [@Sendable () -> Void]) {
        start += number
        if count == 0 { noteTaken(&taken) }
    }

    /// The socket has no room for the rest.
    ///
    /// - Parameter taken: gets who is to be told.
    mutating func hasNoRoom(taken: inout [@Sendable () -> Void]) {
        isHeldUp = true
        noteTaken(&taken)
    }

    /// The socket says that it has room again.
    mutating func hasRoom() {
        isHeldUp = false
    }

    private mutating func noteTaken(_ taken: inout [@Sendable () -> Void]) {
        let past = waiting.prefix { $0.place <= start }
        if !past.isEmpty {
            taken += past.map(\.taken)
            waiting.removeFirst(past.count)
        }
        if count == 0 {
            bytes = []
            start = 0
        } else if start >= Self.compaction, start >= count {
            bytes.removeFirst(start)
            for index in waiting.indices { waiting[index].place -= start }
            start = 0
        }
    }
}
