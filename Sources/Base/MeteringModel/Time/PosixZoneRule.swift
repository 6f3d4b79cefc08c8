/// The rule for the future at the end of a time zone file: a POSIX `TZ` string with the extensions
/// of RFC 9636 §3.3.1, e.g. `CET-1CEST,M3.5.0,M10.5.0/3` or `<+0545>-5:45`.
struct PosixZoneRule: Hashable, Sendable {
    /// Seconds east of UTC in standard time.
    var standardOffset: Int
    /// Nil when the zone keeps standard time all year.
    var saving: Saving?

    struct Saving: Hashable, Sendable {
        /// Seconds east of UTC while it lasts; may be below standard time (Europe/Dublin).
        var offset: Int
        var start: Change
        var end: Change

        /// The year's two changes as UTC seconds, each with the offset after it.
        func transitions(year: Int, standardOffset: Int) -> [(at: Int64, offset: Int)] {
            [
                (start.localSecond(year: year) - Int64(standardOffset), offset),
                (end.localSecond(year: year) - Int64(offset), standardOffset),
            ]
        }
    }

    /// A yearly moment in the local time that is in force before it.
    struct Change: Hashable, Sendable {
        enum Day: Hashable, Sendable {
            /// Week 1 to 5 (5: the last), weekday 0 (Sunday) to 6.
            case weekday(month: Int, week: Int, weekday: Int)
            /// 1 to 365; 29 February is never counted.
            case julian(Int)
            /// 0 to 365; 29 February is counted.
            case dayOfYear(Int)
        }
        var day: Day
        /// Seconds after local midnight; may be negative or beyond a day.
        var time: Int

        /// Seconds since 1970-01-01T00:00 local time.
        func localSecond(year: Int) -> Int64 {
            Int64(daysSinceEpoch(year: year)) * 86_400 + Int64(time)
        }

        private func daysSinceEpoch(year: Int) -> Int {
            let newYear = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
            switch day {
            case .dayOfYear(let index): return newYear + index
            case .julian(let number):
                return newYear + number - 1 + (CivilDate.isLeap(year) && number >= 60 ? 1 : 0)
            case .weekday(let month, let week, let weekday):
                let first = CivilDate(year: year, month: month, day: 1).daysSinceEpoch
                let firstWeekday = CivilDate.isoWeekday(daysSinceEpoch: first) % 7
                let day = first + (weekday - firstWeekday + 7) % 7 + (week - 1) * 7
                let end = first + CivilDate.daysInMonth(year: year, month: month)
                return day < end ? day : day - 7
            }
        }
    }

    /// Nil when `text` is not such a rule.
    init?(_ text: ArraySlice<UInt8>) {
        var reader = Reader(rest: text)
        guard reader.skipName(), let west = reader.time(hoursMax: 24) else { return nil }
        standardOffset = -west
        if reader.rest.isEmpty { return }
        guard reader.skipName() else { return nil }
        var offset = standardOffset + 3_600
        if reader.rest.first != 0x2C {
            guard let west = reader.time(hoursMax: 24) else { return nil }
            offset = -west
        }
        // Without the two changes the rule says nothing; a file must have them.
        guard reader.skip(0x2C), let start = reader.change(), reader.skip(0x2C),
            let end = reader.change(), reader.rest.isEmpty
        else { return nil }
        saving = Saving(offset: offset, start: start, end: end)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func skip(_ byte: UInt8) -> Bool {
            guard rest.first == byte else { return false }
            rest.removeFirst()
            return true
        }

        /// `CEST`, or any name in angle brackets.
        mutating func skipName() -> Bool {
            if skip(0x3C) {
                guard let end = rest.firstIndex(of: 0x3E), end > rest.startIndex else {
                    return false
                }
                rest = rest[(end + 1)...]
                return true
            }
            let letters = rest.prefix { (0x41...0x5A).contains($0 & ~0x20) }
            rest = rest[letters.endIndex...]
            return letters.count >= 3
        }

        mutating func number(max: Int) -> Int? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...3).contains(digits.count) else { return nil }
            rest = rest[digits.endIndex...]
            let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            return value <= max ? value : nil
        }

        /// `[+-]h[h[h]][:mm[:ss]]` in seconds.
        mutating func time(hoursMax: Int) -> Int? {
            let isNegative = rest.first == 0x2D
            if isNegative || rest.first == 0x2B { rest.removeFirst() }
            guard let hours = number(max: hoursMax) else { return nil }
            var seconds = hours * 3_600
            if skip(0x3A) {
                guard let minutes = number(max: 59) else { return nil }
                seconds += minutes * 60
                if skip(0x3A) {
                    guard let rest = number(max: 59) else { return nil }
                    seconds += rest
                }
            }
            return isNegative ? -seconds : seconds
        }

        mutating func change() -> Change? {
            guard let day = day() else { return nil }
            guard skip(0x2F) else { return Change(day: day, time: 7_200) }
            guard let time = time(hoursMax: 167) else { return nil }
            return Change(day: day, time: time)
        }

        private mutating func day() -> Change.Day? {
            if skip(0x4D) {
                guard let month = number(max: 12), month > 0, skip(0x2E),
                    let week = number(max: 5), week > 0, skip(0x2E), let weekday = number(max: 6)
                else { return nil }
                return .weekday(month: month, week: week, weekday: weekday)
            }
            if skip(0x4A) {
                guard let number = number(max: 365), number > 0 else { return nil }
                return .julian(number)
            }
            return number(max: 365).map(Change.Day.dayOfYear)
        }
    }
}
