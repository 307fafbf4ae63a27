import Foundation

/// The wall clock of the programs that are started with its environment, and of no others: see `Tests/SetClock`.
struct SetClock {
    private let path: String

    /// What a program has in its environment to have this clock.
    var environment: [String: String] {
        ["LD_PRELOAD": Programs.directory + "/libSetClock.so", "SETCLOCK_FILE": path]
    }

    /// A clock that stands where the machine's does.
    init(_ path: String) throws {
        self.path = path
        try Data(count: 4_096).write(to: URL(fileURLWithPath: path))
    }

    /// Sets the clock against the machine's, also under programs that run.
    func set(ahead seconds: Int) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let offset = Int64(seconds) * 1_000_000_000
        try file.write(contentsOf: unsafe withUnsafeBytes(of: offset) { unsafe Data($0) })
        try file.close()
    }

    /// How often programs have begun to wait until a moment of the clock, libdispatch's resting threads left out.
    var waits: Int {
        get throws {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: path))[8..<16]
            return bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
        }
    }
}
