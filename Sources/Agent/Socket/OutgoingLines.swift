import Platform

/// Lines on their way out of a connection, as far as its socket has not taken them.
struct OutgoingLines: Sendable {
    private var bytes: [UInt8] = []
    /// Where what has not been taken begins.
    private var start = 0
    /// Who is to be told once the bytes before a place have been taken.
    private var waiting: [(place: Int, taken: @Sendable () -> Void)] = []
    /// Whether the socket had no room for all of it.
    private(set) var isHeldUp = false

    /// Bytes that have been taken before their memory is given back.
    private static let compaction = 65_536

    /// Bytes that have not been taken.
    var count: Int { bytes.count - start }

    mutating func append(_ line: [UInt8]) {
        // The usual line is alone, and is then not copied.
        if bytes.isEmpty { bytes = line } else { bytes += line }
    }

    /// - Parameter taken: called once the socket has taken the line.
    mutating func append(_ line: [UInt8], taken: @escaping @Sendable () -> Void) {
        append(line)
        waiting.append((bytes.count, taken))
    }

    /// Gives the socket what it takes.
    ///
    /// - Parameter taken: gets who is to be told.
    /// - Returns: false when the connection is broken.
    mutating func write(to socket: StreamSocket, taken: inout [@Sendable () -> Void]) -> Bool {
        while count > 0 {
            switch socket.write(bytes, from: start) {
            case .done(let number): start += number
            case .notNow:
                isHeldUp = true
                noteTaken(&taken)
                return true
            case .ended: return false
            }
        }
        isHeldUp = false
        noteTaken(&taken)
        return true
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
