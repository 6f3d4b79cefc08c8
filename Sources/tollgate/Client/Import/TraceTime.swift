import MeteringModel

/// Times as traces write them, to and from microseconds; proleptic Gregorian calendar.
enum TraceTime {
    /// Reads RFC 3339, `yyyy-MM-dd HH:mm:ss[.fraction]` (UTC), or Unix seconds. A fraction finer
    /// than a microsecond is cut off. Nil when it is none of these.
    static func parse(_ text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        if bytes.count >= 19, bytes[4] == UInt8(ascii: "-") { return parseCalendar(bytes) }
        return parseUnixSeconds(bytes)
    }

    /// RFC 3339 in UTC, with microseconds only where there are any.
    static func text(_ time: Timestamp) -> String {
        let days = time.seconds.floorDivided(by: 86_400)
        let secondOfDay = time.seconds - days * 86_400
        let micros = time.microseconds - time.seconds * 1_000_000
        let (year, month, day) = civil(days: days)
        var text = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T"
        text += "\(padded(secondOfDay / 3_600, 2)):\(padded(secondOfDay / 60 % 60, 2))"
        text += ":\(padded(secondOfDay % 60, 2))"
        if micros != 0 { text += "." + padded(micros, 6) }
        return text + "Z"
    }

    private static func parseCalendar(_ bytes: [UInt8]) -> Timestamp? {
        guard let year = digits(bytes, 0, 4), let month = digits(bytes, 5, 2),
            let day = digits(bytes, 8, 2), let hour = digits(bytes, 11, 2),
            let minute = digits(bytes, 14, 2), let second = digits(bytes, 17, 2),
            bytes[7] == UInt8(ascii: "-"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"),
            [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")].contains(bytes[10]),
            (1...12).contains(month), (1...daysInMonth(year, month)).contains(day),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var index = 19
        guard let micros = fraction(bytes, &index),
            let offsetSeconds = zoneOffset(bytes, &index), index == bytes.count
        else { return nil }
        let secondOfDay = hour * 3_600 + minute * 60 + second
        let seconds = days(year: year, month: month, day: day) * 86_400 + secondOfDay
        return Timestamp(microseconds: (seconds - offsetSeconds) * 1_000_000 + micros)
    }

    private static func parseUnixSeconds(_ bytes: [UInt8]) -> Timestamp? {
        var index = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative { index = 1 }
        let start = index
        while index < bytes.count, isDigit(bytes[index]) { index += 1 }
        // Twelve digits reach past the year 9999; more would be milliseconds, and we do not guess.
        guard (1...12).contains(index - start), let seconds = digits(bytes, start, index - start),
            let micros = fraction(bytes, &index), index == bytes.count
        else { return nil }
        let time = Timestamp(
            microseconds: (seconds * 1_000_000 + micros) * (isNegative ? -1 : 1))
        return time < .distantFuture && time >= .distantPast ? time : nil
    }

    /// Microseconds of an optional fraction; nil when it is malformed.
    private static func fraction(_ bytes: [UInt8], _ index: inout Int) -> Int64? {
        guard index < bytes.count, bytes[index] == UInt8(ascii: ".") else { return 0 }
        index += 1
        let start = index
        var micros: Int64 = 0
        while index < bytes.count, isDigit(bytes[index]) {
            if index - start < 6 { micros = micros * 10 + Int64(bytes[index] - 0x30) }
            index += 1
        }
        guard index > start else { return nil }
        for _ in min(6, index - start)..<6 { micros *= 10 }
        return micros
    }

    /// Seconds east of UTC; none written means UTC.
    private static func zoneOffset(_ bytes: [UInt8], _ index: inout Int) -> Int64? {
        if index == bytes.count { return 0 }
        let sign = bytes[index]
        index += 1
        if sign | 0x20 == UInt8(ascii: "z") { return 0 }
        guard [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(sign), index + 5 <= bytes.count,
            let hours = digits(bytes, index, 2), bytes[index + 2] == UInt8(ascii: ":"),
            let minutes = digits(bytes, index + 3, 2), hours < 24, minutes < 60
        else { return nil }
        index += 5
        return (hours * 3_600 + minutes * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
    }

    private static func digits(_ bytes: [UInt8], _ start: Int, _ count: Int) -> Int64? {
        guard start + count <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[start..<(start + count)] {
            guard isDigit(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        return value
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    private static func daysInMonth(_ year: Int64, _ month: Int64) -> Int64 {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 ? (isLeap ? 29 : 28) : ([4, 6, 9, 11].contains(month) ? 30 : 31)
    }

    /// Days since 1970-01-01. Years are counted from March, so the leap day is the last of a year.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let era = shifted.floorDivided(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
