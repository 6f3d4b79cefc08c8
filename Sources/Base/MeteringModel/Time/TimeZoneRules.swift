/// The offsets of one time zone, from a compiled time zone file (TZif, RFC 9636, versions 1 to 4).
///
/// Local time is a function of the instant; the way back is not. Here it has one rule:
/// a civil time means the first instant whose local time is at or after it. So a time that a gap
/// skips is the instant after the gap, and a time that an overlap repeats is the earlier one.
public final class TimeZoneRules: Sendable {
    /// IANA name, e.g. `Europe/Berlin`.
    public let name: String
    let timeline: OffsetTimeline

    init(name: String, timeline: OffsetTimeline) {
        self.name = name
        self.timeline = timeline
    }

    /// Nil when `tzif` is not a valid time zone file. Files that count leap seconds (`right/…`)
    /// are refused as well: `Timestamp` does not count them.
    public convenience init?(name: String, tzif: [UInt8]) {
        guard let timeline = TZifReader.timeline(of: tzif) else { return nil }
        self.init(name: name, timeline: timeline)
    }

    public static let utc = TimeZoneRules(name: "UTC", timeline: OffsetTimeline(fixedOffset: 0))

    /// Seconds to add to UTC for local time at `instant`; positive east of Greenwich.
    public func offsetSeconds(at instant: Timestamp) -> Int {
        timeline.segment(at: instant.clampedToCalendar.seconds).offset
    }

    /// The first instant whose local time is at or after midnight of `date` plus the given time.
    /// - Parameters:
    ///   - date: of the years 0 to 10000; others count as the nearest of these.
    ///   - microsecond: 0 to 999,999, within the second.
    public func instant(
        _ date: CivilDate, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0
    ) -> Timestamp {
        let year = Swift.min(Swift.max(date.year, 0), 10_000)
        let inRange = CivilDate(year: year, month: date.month, day: date.day)
        let day = Int64(inRange.daysSinceEpoch) * 86_400
        let local = day + Int64(hour * 3_600 + minute * 60 + second)
        return instant(localMicroseconds: local * 1_000_000 + Int64(microsecond))
    }

    /// The local calendar day that `instant` lies in.
    public func civilDate(at instant: Timestamp) -> CivilDate {
        let days = localMicroseconds(at: instant).floorDivided(by: 86_400_000_000)
        return CivilDate(daysSinceEpoch: Int(days))
    }

    /// Local time as if it were UTC, µs since 1970-01-01T00:00 local.
    func localMicroseconds(at instant: Timestamp) -> Int64 {
        let clamped = instant.clampedToCalendar
        return clamped.microseconds + Int64(offsetSeconds(at: clamped)) * 1_000_000
    }

    /// The first instant whose local time is `local` or later.
    func instant(localMicroseconds local: Int64) -> Timestamp {
        let localSeconds = local.floorDivided(by: 1_000_000)
        // No offset is larger than this, so the local time of the first segment is not yet there.
        var segment = timeline.segment(at: localSeconds - OffsetTimeline.offsetMax)
        while true {
            let candidate = localSeconds - Int64(segment.offset)
            if candidate < segment.start { return Timestamp(seconds: segment.start) }
            if candidate < segment.end {
                return Timestamp(microseconds: local - Int64(segment.offset) * 1_000_000)
            }
            segment = timeline.segment(at: segment.end)
        }
    }
}

extension Timestamp {
    /// This instant, or the nearest one of the years 1 to 9999.
    var clampedToCalendar: Timestamp {
        Swift.min(Swift.max(self, .distantPast), Timestamp(microseconds: Self.lastMicrosecond))
    }

    private static let lastMicrosecond = Timestamp.distantFuture.microseconds - 1
}
