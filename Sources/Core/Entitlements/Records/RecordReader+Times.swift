import MeteringModel

extension RecordReader {
    /// Which side of a day a date without a time means.
    enum Side {
        /// The day's first instant.
        case start
        /// The first instant after the day.
        case end
    }

    mutating func time(_ name: String, in members: inout Members, _ side: Side) -> Timestamp? {
        guard let value = members.take(name) else { return nil }
        return time(value, side, at: name)
    }

    /// A start: written, or the context's, or reported as missing.
    mutating func start(in members: inout Members) -> Timestamp {
        if let start = context.defaultStart, !members.has("start") {
            _ = members.take("start")
            return Timestamp(seconds: start.seconds)
        }
        guard let value = required("start", in: &members) else { return .distantPast }
        return time(value, .start, at: "start") ?? .distantPast
    }

    /// An end, which must not come before `start`.
    mutating func end(
        _ name: String, in members: inout Members, after start: Timestamp
    ) -> Timestamp? {
        guard let end = time(name, in: &members, .end) else { return nil }
        if end < start {
            report(
                name, .endBeforeStart,
                "\(name) (\(end.rfc3339())) comes before the start (\(start.rfc3339()))")
        }
        return end
    }

    /// As `RecordCodec.instant` takes it.
    mutating func time(_ value: JSONValue, _ side: Side, at name: String) -> Timestamp? {
        if case .string(let text) = value, let instant = LocalTime.instant(text, side, context.zone)
        {
            return instant
        }
        report(
            name, .invalidTime,
            "\(describe(value)) is neither a date like 2026-01-31 nor an instant like "
                + "2026-01-31T09:00:00Z")
        return nil
    }
}

/// Times as people write them.
enum LocalTime {
    static func instant(
        _ text: String, _ side: RecordReader.Side, _ zone: TimeZoneRules
    ) -> Timestamp? {
        if let instant = Timestamp(rfc3339: text) { return Timestamp(seconds: instant.seconds) }
        // A date is valid just when it is with a time behind it.
        let padded: String
        switch text.utf8.count {
        case 10: padded = text + "T12:00:00Z"
        case 16: padded = text + ":00Z"
        default: padded = text + "Z"
        }
        let separator = text.utf8.dropFirst(10).first
        guard separator == nil || separator == UInt8(ascii: "T"),
            let instant = Timestamp(rfc3339: padded)
        else { return nil }
        let date = TimeZoneRules.utc.civilDate(at: instant)
        if separator == nil {
            return writable(zone.instant(side == .start ? date : date.adding(days: 1)))
        }
        let second = Int(instant.seconds - TimeZoneRules.utc.instant(date).seconds)
        return writable(
            zone.instant(
                date, hour: second / 3_600, minute: second / 60 % 60, second: second % 60))
    }

    /// The nearest second that RFC 3339 can write: the end of 9999-12-31, which people write for
    /// "never", lies just past it.
    private static func writable(_ instant: Timestamp) -> Timestamp {
        let last = Timestamp.distantFuture.adding(seconds: -1)
        return Timestamp(seconds: min(max(instant, .distantPast), last).seconds)
    }
}
