import Entitlements
import Forecasting
import MeteringModel
import MeteringPorts

/// The cumulative usage of one customer and meter within quota periods. What was read is kept: both
/// sides of a simulation ask for the same.
final class UsageCurve {
    private struct Key: Hashable {
        var meter: MeterKey
        var period: Period
        var cut: Timestamp
    }
    private let customer: CustomerID
    private let zone: TimeZoneRules
    private let usage: any CumulativeUsage
    /// Meters that anything was counted by; of others there is no usage.
    private let meters: Set<MeterKey>
    private var known: [Key: UsageState] = [:]

    init(
        _ customer: CustomerID, _ zone: TimeZoneRules, _ usage: any CumulativeUsage,
        meters: Set<MeterKey>
    ) {
        self.meters = meters
        self.customer = customer
        self.zone = zone
        self.usage = usage
    }

    /// Readings of [period.start, cut) for each cut, ascending.
    func readings(
        _ quota: Quota, _ period: Period, at cuts: [Timestamp]
    ) throws(LedgerError) -> [Int64] {
        if !meters.contains(quota.meter) { return cuts.map { _ in 0 } }
        func key(_ cut: Timestamp) -> Key { Key(meter: quota.meter, period: period, cut: cut) }
        let missing = cuts.filter { known[key($0)] == nil }
        if !missing.isEmpty {
            let states = try usage.states(
                customer: customer, meter: quota.meter, period: period, upTo: missing)
            for (cut, state) in zip(missing, states) { known[key(cut)] = state }
        }
        return cuts.map { known[key($0)]?.reading(quota.aggregation) ?? 0 }
    }

    /// The hour in which the reading first stood at `level`, of a stretch at whose end it does.
    func instant(
        reaching level: Int64, _ quota: Quota, _ period: Period, _ stretch: QuotaStretch
    ) throws(LedgerError) -> Timestamp {
        let days = DayCalendar.days(
            from: stretch.from, to: stretch.to, zone: zone, countMax: Exhaustion.daysMax
        ).map(\.period)
        let ends = try readings(quota, period, at: days.map(\.end))
        guard let day = zip(days, ends).first(where: { $0.1 >= level })?.0 else {
            return stretch.from
        }
        var hours: [Timestamp] = []
        var hour = day.start.seconds.floorDivided(by: 3_600) * 3_600 + 3_600
        while Timestamp(seconds: hour) < day.end {
            hours.append(Timestamp(seconds: hour))
            hour += 3_600
        }
        let readings = try readings(quota, period, at: hours)
        var start = day.start
        for (end, reading) in zip(hours, readings) {
            if reading >= level { return start }
            start = end
        }
        return start
    }
}
