/// A calendar month, `2026-11`: what a statement is of. Which instants it holds depends on a zone.
public struct BillingMonth: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let year: Int
    /// 1 to 12.
    public let month: Int

    /// Nil outside of the years 1 to 9998 and the months 1 to 12.
    public init?(year: Int, month: Int) {
        guard (1...9_998).contains(year), (1...12).contains(month) else { return nil }
        self.init(count: year * 12 + month - 1)
    }

    /// Months since the year 0, as stores keep it. Out of range it is the nearest month there is.
    public init(count: Int) {
        let bounded = Swift.min(Swift.max(count, 12), 9_999 * 12 - 1)
        year = bounded / 12
        month = bounded % 12 + 1
    }

    /// Parses `YYYY-MM`; nil when it is not of that form.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 7, bytes[4] == UInt8(ascii: "-"), let year = Int(text.prefix(4)),
            let month = Int(text.suffix(2)),
            (bytes[..<4] + bytes[5...]).allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        self.init(year: year, month: month)
    }

    /// The month that an instant lies in.
    public init(containing instant: Timestamp, zone: TimeZoneRules) {
        let date = zone.civilDate(at: instant)
        self.init(count: date.year * 12 + date.month - 1)
    }

    public var count: Int { year * 12 + month - 1 }
    public var next: BillingMonth { BillingMonth(count: count + 1) }
    public var previous: BillingMonth { BillingMonth(count: count - 1) }

    /// From the first midnight of the month to the next month's.
    public func period(zone: TimeZoneRules) -> Period {
        Period(start: start(zone), end: next.start(zone))
    }

    private func start(_ zone: TimeZoneRules) -> Timestamp {
        zone.instant(CivilDate(year: year, month: month, day: 1))
    }

    public var description: String {
        let digits = String(year)
        return String(repeating: "0", count: 4 - digits.utf8.count) + digits
            + (month < 10 ? "-0" : "-") + String(month)
    }

    public static func < (left: BillingMonth, right: BillingMonth) -> Bool {
        left.count < right.count
    }
}
