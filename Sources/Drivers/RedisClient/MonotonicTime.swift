import Glibc

/// The clock of deadlines: nanoseconds since some fixed instant, never stepped back.
enum MonotonicTime {
    static func now() -> Int64 {
        var time = timespec()
        // SAFETY: writes one timespec; CLOCK_MONOTONIC always exists on Linux.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

extension Duration {
    /// Whole nanoseconds, at least 0 and at most about 30 years.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return min(seconds, 1_000_000_000) * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
