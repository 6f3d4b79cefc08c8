import Entitlements
import MeteringModel

/// Stretches of time in which a customer's hour, day and quota periods are all constant.
enum Segments {
    private static let dayRule = PeriodRule(unit: .day, anchor: .calendar)

    static func hour(_ at: Timestamp) -> Period {
        let start = at.seconds.floorDivided(by: 3_600) * 3_600
        return Period(start: Timestamp(seconds: start), end: Timestamp(seconds: start + 3_600))
    }

    static func day(_ at: Timestamp, _ zone: TimeZoneRules) -> Period {
        dayRule.period(containing: at, zone: zone)
    }

    /// The distinct periods that a customer's quotas on one meter count `at` in.
    static func quotaPeriods(
        _ at: Timestamp, _ snapshot: CatalogSnapshot, customer: Int, meter: Int
    ) -> [Period] {
        let owner = snapshot.customers[customer]
        var periods: [Period] = []
        for quota in owner.quotas(ofMeter: meter) {
            let period = snapshot.quotas[quota].rule.period(containing: at, zone: owner.zone)
            if !periods.contains(period) { periods.append(period) }
        }
        return periods
    }

    static func around(
        _ at: Timestamp, _ snapshot: CatalogSnapshot, customer: Int, meter: Int
    ) -> Period {
        var segment = hour(at)
        func narrow(_ other: Period) {
            if other.start > segment.start { segment.start = other.start }
            if other.end < segment.end { segment.end = other.end }
        }
        narrow(day(at, snapshot.customers[customer].zone))
        for period in quotaPeriods(at, snapshot, customer: customer, meter: meter) {
            narrow(period)
        }
        return segment
    }
}
