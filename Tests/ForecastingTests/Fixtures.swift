import Forecasting
import Foundation
import MeteringModel
import Testing

func at(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

/// Rules of a zone from the machine's time zone files.
func zone(_ name: String) throws -> TimeZoneRules {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/\(name)"))
    return try #require(TimeZoneRules(name: name, tzif: Array(bytes)))
}

/// Days from a date on, with the given usage.
func days(_ values: [Double], from first: CivilDate, zone: TimeZoneRules = .utc) -> [UsageStep] {
    values.enumerated().map { index, value in
        let date = first.adding(days: index)
        return UsageStep(
            period: Period(start: zone.instant(date), end: zone.instant(date.adding(days: 1))),
            group: date.isoWeekday, value: value)
    }
}

let monday = CivilDate(year: 2026, month: 11, day: 2)
