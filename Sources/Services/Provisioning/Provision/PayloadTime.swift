package import MeteringModel

/// A point in time as an order writes it: an instant, a local time of day, or a day.
package struct PayloadTime: Hashable, Sendable {
    private enum Form: Hashable, Sendable {
        case instant(Timestamp)
        case local(CivilDate, secondOfDay: Int)
        case day(CivilDate)
    }

    /// The member it was read from, for problems.
    package var field: String
    private var form: Form

    /// Nil when the text is of none of the three forms.
    package init?(_ text: String, field: String) {
        self.field = field
        if let instant = Timestamp(rfc3339: text) {
            form = .instant(Timestamp(seconds: instant.seconds))
            return
        }
        let bytes = Array(text.utf8)
        guard bytes.count >= 10, let date = Self.date(bytes[..<10]) else { return nil }
        if bytes.count == 10 {
            form = .day(date)
            return
        }
        guard let seconds = Self.secondOfDay(bytes[10...]) else { return nil }
        form = .local(date, secondOfDay: seconds)
    }

    package init(_ instant: Timestamp, field: String) {
        self.field = field
        form = .instant(Timestamp(seconds: instant.seconds))
    }

    /// A day means its first instant as a start, and the instant after its last as an end.
    package func instant(in zone: TimeZoneRules, isEnd: Bool) -> Timestamp {
        switch form {
        case .instant(let instant): instant
        case .local(let date, let seconds):
            zone.instant(
                date, hour: seconds / 3_600, minute: seconds / 60 % 60, second: seconds % 60)
        case .day(let date): zone.instant(isEnd ? date.adding(days: 1) : date)
        }
    }

    /// `YYYY-MM-DD`
    private static func date(_ bytes: ArraySlice<UInt8>) -> CivilDate? {
        let parts = bytes.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 4, parts[1].count == 2, parts[2].count == 2,
            let year = number(parts[0]), let month = number(parts[1]), let day = number(parts[2])
        else { return nil }
        let date = CivilDate(year: year, month: month, day: day)
        return date.isValid && year > 0 ? date : nil
    }

    /// `Thh:mm` or `Thh:mm:ss`, with a fraction that is cut off.
    private static func secondOfDay(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let separator = bytes.first,
            separator | 0x20 == UInt8(ascii: "t") || separator == 0x20
        else { return nil }
        let whole = bytes.dropFirst().split(
            separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        if whole.count == 2, number(whole[1]) == nil { return nil }
        let parts = whole[0].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), parts.allSatisfy({ $0.count == 2 }),
            let hour = number(parts[0]), let minute = number(parts[1]), hour < 24, minute < 60
        else { return nil }
        let second = parts.count == 3 ? number(parts[2]) : 0
        guard let second, second < 60 else { return nil }
        return hour * 3_600 + minute * 60 + second
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...9).contains(digits.count), digits.allSatisfy({ $0 &- 0x30 < 10 }) else {
            return nil
        }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}
