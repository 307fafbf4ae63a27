import Glibc

/// The system's wall clock, for executables and services to inject; nothing below them reads it.
public enum WallClock {
    /// Time since 1970-01-01T00:00:00Z, leap seconds left out (CLOCK_REALTIME).
    public static func now() -> (seconds: Int64, nanoseconds: Int32) {
        let time = reading(CLOCK_REALTIME)
        return (Int64(time.tv_sec), Int32(time.tv_nsec))
    }
}

/// The system's clock that nobody sets and that goes on while the machine sleeps (CLOCK_BOOTTIME).
public enum MonotonicClock {
    /// Whole seconds since the machine started.
    public static func seconds() -> Int64 { Int64(reading(CLOCK_BOOTTIME).tv_sec) }

    /// Nanoseconds since the machine started.
    public static func nanoseconds() -> Int64 {
        let time = reading(CLOCK_BOOTTIME)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// CLOCK_MONOTONIC, which is the one systemd compares with.
    static func microseconds() -> Int64 {
        let time = reading(CLOCK_MONOTONIC)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}

private func reading(_ clock: clockid_t) -> timespec {
    var time = timespec()
    // Cannot fail: the clocks are constants every kernel since 2.6.39 has.
    unsafe clock_gettime(clock, &time)
    return time
}

extension Duration {
    /// Whole nanoseconds, as the clocks count.
    public var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
