import Forecasting
import MeteringModel
import MeteringPorts

/// One customer's usage of one meter per day, of the last weeks and today.
struct MeterHistory: Sendable {
    let meter: MeterKey
    /// Whether days add up. Of others only which days had usage is known.
    let isAdditive: Bool
    /// Complete days, ascending, without gaps; the last is yesterday.
    let days: [UsageStep]
    /// Today so far.
    let today: UsageStep
    /// The days that there are rows of; nil when some were counted in another zone: then usage of a
    /// day may stand in its neighbour.
    let daysOfRows: Set<Timestamp>?

    /// - Parameters:
    ///   - rows: of this meter alone.
    ///   - calendar: the days, today as the last.
    init?(_ meter: MeterKey, _ rows: [MeterDay], _ calendar: [UsageStep], _ zone: TimeZoneRules) {
        guard let aggregation = rows.first?.aggregation, let last = calendar.last else {
            return nil
        }
        self.meter = meter
        isAdditive = aggregation.isAdditive
        var states: [Timestamp: UsageState] = [:]
        var areOurs = true
        for row in rows {
            // A day that was counted in another zone counts in ours where it starts.
            let start = DayCalendar.day(of: row.start, zone: zone).start
            if start != row.start { areOurs = false }
            _ = states[start, default: UsageState()].merge(row.state, aggregation)
        }
        let filled = calendar.map { day in
            var day = day
            if let state = states[day.period.start] {
                day.value = Double(state.reading(aggregation))
            }
            return day
        }
        daysOfRows = areOurs ? Set(states.keys) : nil
        days = Array(filled.dropLast())
        today = filled.last ?? last
    }

    /// Usage of the last `count` complete days, `skipping` the newest.
    func total(_ count: Int, skipping: Int = 0) -> Double {
        days.dropLast(skipping).suffix(count).reduce(0) { $0 + $1.value }
    }

    func daysUsed(_ count: Int, skipping: Int = 0) -> Int {
        days.dropLast(skipping).suffix(count).count { $0.value > 0 }
    }

    /// The day from which on usage since `start` is at least `level`; nil when it never is.
    func day(reaching level: Int64, since start: Timestamp) -> Timestamp? {
        var sum = 0.0
        for day in days + [today] where day.period.start >= start {
            sum += day.value
            if sum >= Double(level) { return day.period.start }
        }
        return nil
    }
}
