// RFC 3339 instants, as events carry them and answers show them.

extension Timestamp {
    /// Parses `2026-11-21T10:15:02.120Z`; nil when the bytes are not a valid RFC 3339 instant.
    ///
    /// Strict: the separator is `T`, `t` or one space, the offset is required (`Z`, `z` or `±hh:mm`),
    /// the day must exist. Digits of the fraction beyond microseconds are cut off. A leap second
    /// (`:60`, only at the end of a UTC month) is the start of the next second, because
    /// `Timestamp` does not count leap seconds. Instants outside the years 1 to 9999 (UTC) are
    /// refused. Allocates nothing.
    public init?(rfc3339 bytes: RawSpan) {
        let count = bytes.byteCount
        guard count >= 20 else { return nil }
        // `YYYY-MM-` and `DDThh:mm`, a word each; XOR with the template leaves digits as 0–9 and
        // separators as 0.
        let head = bytes.littleEndianWord(at: 0) ^ 0x2D30_302D_3030_3030
        let rawTail = bytes.littleEndianWord(at: 8)
        let separator = UInt8(truncatingIfNeeded: rawTail >> 16)
        guard separator | 0x20 == 0x74 || separator == 0x20 else { return nil }
        let tail = (rawTail & ~0xFF_0000) ^ 0x3030_3A30_3000_3030
        guard (head | (head &+ 0x7F76_767F_7676_7676)) & 0x8080_8080_8080_8080 == 0,
            (tail | (tail &+ 0x7676_7F76_767F_7676)) & 0x8080_8080_8080_8080 == 0,
            bytes.byte(at: 16) == 0x3A, let second = bytes.decimalPair(at: 17)
        else { return nil }

        let year = head.pair(at: 0) * 100 + head.pair(at: 16)
        let date = CivilDate(year: year, month: head.pair(at: 40), day: tail.pair(at: 0))
        let hour = tail.pair(at: 24)
        let minute = tail.pair(at: 48)
        guard date.isValid, hour < 24, minute < 60, second <= 60 else { return nil }

        var index = 19
        guard let fraction = Self.fraction(in: bytes, at: &index),
            let offset = Self.offset(in: bytes, at: &index), index == count
        else { return nil }
        let days = Int64(date.daysSinceEpoch)
        let local = days * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
        let seconds = local - Int64(offset)
        if second == 60 {
            guard Self.endsMonth(seconds) else { return nil }
            self.init(seconds: seconds)
        } else {
            self.init(microseconds: seconds * 1_000_000 + fraction)
        }
        guard self >= .distantPast, self < .distantFuture else { return nil }
    }

    /// The same for a string.
    public init?(rfc3339 text: String) {
        // SAFETY: the span is read while `text` is alive and leaves no trace.
        unsafe self.init(rfc3339: text.utf8Span.span.bytes)
    }

    /// RFC 3339 text of this instant: `2026-11-21T10:15:02.120Z`, `2026-11-01T00:00:00+01:00`.
    ///
    /// - Parameters:
    ///   - offsetSeconds: the zone's offset at this instant; rounded down to whole minutes, which
    ///     is all that RFC 3339 can write (the text still names this very instant).
    ///   - fractionDigits: 0 to 6; nil writes none for a whole second, else 3 or 6.
    public func rfc3339(offsetSeconds: Int = 0, fractionDigits: Int? = nil) -> String {
        let offset = offsetSeconds.floorDivided(by: 60) * 60
        let local = Int(seconds) + offset
        let micros = Int(microseconds - seconds &* 1_000_000)
        let days = local.floorDivided(by: 86_400)
        let secondOfDay = local - days * 86_400
        let date = CivilDate(daysSinceEpoch: days)

        var text: [UInt8] = []
        text.reserveCapacity(32)
        text.append(decimal: date.year, width: 4)
        text.append(0x2D)
        text.append(decimal: date.month, width: 2)
        text.append(0x2D)
        text.append(decimal: date.day, width: 2)
        text.append(0x54)
        text.append(decimal: secondOfDay / 3_600, width: 2)
        text.append(0x3A)
        text.append(decimal: secondOfDay / 60 % 60, width: 2)
        text.append(0x3A)
        text.append(decimal: secondOfDay % 60, width: 2)
        let automatic = micros == 0 ? 0 : (micros % 1_000 == 0 ? 3 : 6)
        let digits = Swift.min(Swift.max(fractionDigits ?? automatic, 0), 6)
        if digits > 0 {
            text.append(0x2E)
            var shown = micros
            for _ in digits..<6 { shown /= 10 }
            text.append(decimal: shown, width: digits)
        }
        if offset == 0 {
            text.append(0x5A)
        } else {
            text.append(offset < 0 ? 0x2D : 0x2B)
            text.append(decimal: abs(offset) / 3_600, width: 2)
            text.append(0x3A)
            text.append(decimal: abs(offset) / 60 % 60, width: 2)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Microseconds of `.123456789`, or 0 when there is no fraction; nil when it has no digit.
    private static func fraction(in bytes: RawSpan, at index: inout Int) -> Int64? {
        guard bytes.byte(at: index) == 0x2E else { return 0 }
        index += 1
        var value: Int64 = 0
        var weight: Int64 = 100_000
        let first = index
        while index < bytes.byteCount {
            let digit = bytes.byte(at: index) ^ 0x30
            guard digit < 10 else { break }
            value += Int64(digit) * weight
            weight /= 10
            index += 1
        }
        return index > first ? value : nil
    }

    /// Seconds east of UTC of `Z`, `z` or `±hh:mm`.
    private static func offset(in bytes: RawSpan, at index: inout Int) -> Int? {
        guard index < bytes.byteCount else { return nil }
        let sign = bytes.byte(at: index)
        if sign | 0x20 == 0x7A {
            index += 1
            return 0
        }
        guard sign == 0x2B || sign == 0x2D, index + 6 <= bytes.byteCount,
            bytes.byte(at: index + 3) == 0x3A, let hours = bytes.decimalPair(at: index + 1),
            let minutes = bytes.decimalPair(at: index + 4), hours < 24, minutes < 60
        else { return nil }
        index += 6
        let seconds = hours * 3_600 + minutes * 60
        return sign == 0x2D ? -seconds : seconds
    }

    /// Whether a UTC month begins at `seconds`: the only place for a leap second before it.
    private static func endsMonth(_ seconds: Int64) -> Bool {
        let days = seconds.floorDivided(by: 86_400)
        guard seconds == days * 86_400 else { return false }
        return CivilDate(daysSinceEpoch: Int(days)).day == 1
    }
}

extension RawSpan {
    /// The number that two decimal digits at `index` make; nil when they are not digits.
    fileprivate func decimalPair(at index: Int) -> Int? {
        let tens = byte(at: index) ^ 0x30
        let ones = byte(at: index + 1) ^ 0x30
        guard tens < 10, ones < 10 else { return nil }
        return Int(tens) * 10 + Int(ones)
    }
}

extension UInt64 {
    /// The number made of the digit bytes at bit `shift` and the byte after it.
    fileprivate func pair(at shift: UInt64) -> Int {
        Int((self >> shift) & 0xFF) * 10 + Int((self >> (shift + 8)) & 0xFF)
    }
}

extension [UInt8] {
    fileprivate mutating func append(decimal value: Int, width: Int) {
        let digits = String(value).utf8
        for _ in digits.count..<Swift.max(width, digits.count) { append(0x30) }
        append(contentsOf: digits)
    }
}
