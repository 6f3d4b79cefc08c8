internal import MeteringModel

/// RFC 3339 times, written and read. Proleptic Gregorian calendar, no leap seconds.
enum TimeText {
    private static let secondsPerDay: Int64 = 86_400

    /// Writes `2026-11-01T00:00:00+01:00`; a fraction only where there is one, `Z` for offset 0.
    static func write(
        _ instant: Timestamp, offsetSeconds: Int = 0,
        to text: inout [UInt8]
    ) {
        let local = instant.seconds + Int64(offsetSeconds)
        let day = local.floorDivided(by: secondsPerDay)
        let second = local - day * secondsPerDay
        let date = civil(day: day)
        text.append(date.year, width: 4)
        text.append(UInt8(ascii: "-"))
        text.append(date.month, width: 2)
        text.append(UInt8(ascii: "-"))
        text.append(date.day, width: 2)
        text.append(UInt8(ascii: "T"))
        text.append(second / 3_600, width: 2)
        text.append(UInt8(ascii: ":"))
        text.append(second / 60 % 60, width: 2)
        text.append(UInt8(ascii: ":"))
        text.append(second % 60, width: 2)
        let fraction = instant.microseconds - instant.seconds * 1_000_000
        if fraction != 0 {
            text.append(UInt8(ascii: "."))
            if fraction % 1_000 == 0 {
                text.append(fraction / 1_000, width: 3)
            } else {
                text.append(fraction, width: 6)
            }
        }
        writeOffset(offsetSeconds, to: &text)
    }

    private static func writeOffset(_ seconds: Int, to text: inout [UInt8]) {
        if seconds == 0 {
            text.append(UInt8(ascii: "Z"))
            return
        }
        text.append(seconds < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        let minutes = Int64(seconds.magnitude) / 60
        text.append(minutes / 60, width: 2)
        text.append(UInt8(ascii: ":"))
        text.append(minutes % 60, width: 2)
    }

    /// Days since 1970-01-01 to a date: years are counted from March in eras of 400 years, so that
    /// the leap day is the last of its year.
    private static func civil(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    private static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.floorDivided(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }

    /// Reads an RFC 3339 time, or nil. A space where the offset's `+` should be is taken for one:
    /// that is what is left of an unescaped `+` in a query.
    static func read(_ text: String) -> Timestamp? {
        var bytes = ArraySlice(text.utf8)
        guard let year = digits(&bytes, 4), skip(&bytes, "-"), let month = digits(&bytes, 2),
            skip(&bytes, "-"), let day = digits(&bytes, 2), (1...12).contains(month), day >= 1,
            let separator = bytes.popFirst(), separator | 0x20 == UInt8(ascii: "t"),
            let hour = digits(&bytes, 2), skip(&bytes, ":"), let minute = digits(&bytes, 2),
            skip(&bytes, ":"), let second = digits(&bytes, 2), hour < 24, minute < 60, second < 60
        else { return nil }
        let days = self.day(year: year, month: month, day: day)
        guard civil(day: days) == (year, month, day) else { return nil }
        var microseconds: Int64 = 0
        if bytes.first == UInt8(ascii: ".") {
            bytes = bytes.dropFirst()
            let fraction = bytes.prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(fraction.count) else { return nil }
            bytes = bytes.dropFirst(fraction.count)
            for position in 0..<6 {
                let index = fraction.startIndex + position
                let digit = index < fraction.endIndex ? Int64(fraction[index] - 0x30) : 0
                microseconds = microseconds * 10 + digit
            }
        }
        guard let offset = readOffset(&bytes), bytes.isEmpty else { return nil }
        let seconds = days * secondsPerDay + hour * 3_600 + minute * 60 + second - offset
        return Timestamp(microseconds: seconds * 1_000_000 + microseconds)
    }

    private static func readOffset(_ bytes: inout ArraySlice<UInt8>) -> Int64? {
        guard let sign = bytes.popFirst() else { return nil }
        if sign | 0x20 == UInt8(ascii: "z") { return 0 }
        let isNegative = sign == UInt8(ascii: "-")
        guard isNegative || sign == UInt8(ascii: "+") || sign == UInt8(ascii: " "),
            let hours = digits(&bytes, 2), skip(&bytes, ":"), let minutes = digits(&bytes, 2),
            hours < 24, minutes < 60
        else { return nil }
        return (isNegative ? -1 : 1) * (hours * 3_600 + minutes * 60)
    }

    private static func digits(_ bytes: inout ArraySlice<UInt8>, _ count: Int) -> Int64? {
        guard bytes.count >= count else { return nil }
        var value: Int64 = 0
        for byte in bytes.prefix(count) {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        bytes = bytes.dropFirst(count)
        return value
    }

    private static func skip(_ bytes: inout ArraySlice<UInt8>, _ letter: Unicode.Scalar) -> Bool {
        bytes.popFirst() == UInt8(ascii: letter)
    }

    /// `Sat, 21 Nov 2026 10:15:02 GMT`, for the Date header.
    static func writeHTTPDate(_ instant: Timestamp, to text: inout [UInt8]) {
        let day = instant.seconds.floorDivided(by: secondsPerDay)
        let second = instant.seconds - day * secondsPerDay
        let date = civil(day: day)
        let weekday = Int((day + 4) - (day + 4).floorDivided(by: 7) * 7)
        text.append(contentsOf: ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][weekday].utf8)
        text.append(", " as StaticString)
        text.append(date.day, width: 2)
        text.append(UInt8(ascii: " "))
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        text.append(contentsOf: months[Int(date.month) - 1].utf8)
        text.append(UInt8(ascii: " "))
        text.append(date.year, width: 4)
        text.append(UInt8(ascii: " "))
        text.append(second / 3_600, width: 2)
        text.append(UInt8(ascii: ":"))
        text.append(second / 60 % 60, width: 2)
        text.append(UInt8(ascii: ":"))
        text.append(second % 60, width: 2)
        text.append(" GMT" as StaticString)
    }
}
