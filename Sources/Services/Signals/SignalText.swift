import Forecasting
import MeteringModel

/// Numbers and dates as they are read aloud.
enum SignalText {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `1,234,567.5`
    static func quantity(_ units: Int64, scale: Int) -> String {
        let text = DecimalQuantity.text(units: units, scale: scale)
        let parts = text.split(separator: ".", maxSplits: 1)
        var whole = String(parts.first ?? "0")
        let sign = whole.hasPrefix("-") ? "-" : ""
        whole.removeFirst(sign.count)
        var grouped = ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index) % 3 == 0 { grouped += "," }
            grouped.append(digit)
        }
        return sign + grouped + (parts.count > 1 ? "." + parts[1] : "")
    }

    /// `81.2 %`, as `ShareText` rounds; `81 %` where that is it.
    static func percent(basisPoints: Int64, thresholds: [Int64] = []) -> String {
        let tenths = ShareText.tenths(basisPoints: basisPoints, thresholds: thresholds)
        return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
    }

    /// `23 Nov 2026`, the customer's day.
    static func date(_ instant: Timestamp, _ zone: TimeZoneRules) -> String {
        let date = zone.civilDate(at: instant)
        return "\(date.day) \(months[date.month - 1]) \(date.year)"
    }

    /// The last day of a period, whose end is the first instant after.
    static func lastDay(of period: Period, _ zone: TimeZoneRules) -> String {
        date(Timestamp(microseconds: period.end.microseconds - 1), zone)
    }

    /// `1 day`, `12 days`
    static func count(_ number: Int64, _ one: String) -> String {
        "\(quantity(number, scale: 0)) \(one)\(number == 1 ? "" : "s")"
    }

    static func list(_ words: [String]) -> String {
        words.count < 2
            ? words.joined()
            : words.dropLast().joined(separator: ", ") + " and " + words[words.count - 1]
    }
}
