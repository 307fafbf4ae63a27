import Foundation

/// The counters file of the module: see `Tests/FaultyToken/include/FaultyToken.h`.
enum Counters {
    private static let nameLength = 56
    private static let recordLength = 64

    /// Every counter by its name; none when the file is not there yet.
    static func read(_ path: String) throws -> [String: Int] {
        guard let file = FileHandle(forReadingAtPath: path) else { return [:] }
        defer { try? file.close() }
        let bytes = Array(try file.readToEnd() ?? Data())
        var counters: [String: Int] = [:]
        for start in stride(from: 0, to: bytes.count - recordLength + 1, by: recordLength) {
            let name = bytes[start..<start + nameLength].prefix { $0 != 0 }
            guard !name.isEmpty else { break }
            // The machine's own order, which is little-endian on all that this runs on.
            let count = bytes[start + nameLength..<start + recordLength].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            counters[String(decoding: name, as: UTF8.self)] = Int(truncatingIfNeeded: count)
        }
        return counters
    }
}
