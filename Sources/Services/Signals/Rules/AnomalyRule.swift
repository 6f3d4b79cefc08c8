import Forecasting
import MeteringModel
import MeteringPorts

/// A day that is unlike the customer's own days: today so far against the same part of each.
struct AnomalyRule {
    /// Earlier days that today is held against.
    static let daysBack = 28
    let queries: any LedgerQueries

    /// Reads hours only of what already looks unusual by its days.
    func signals(_ facts: CustomerFacts) throws(LedgerError) -> [Signal] {
        var found: [Signal] = []
        for own in facts.quotas {
            // One signal per meter and day, of the first of its features.
            guard let history = facts.histories[own.quota.meter], history.isAdditive,
                !found.contains(where: { $0.numbers["meter"]?.text == own.quota.meter.rawValue }),
                let signal = try signal(own, history, facts)
            else { continue }
            found.append(signal)
        }
        return found
    }

    private func signal(
        _ own: CustomerFacts.QuotaFacts, _ history: MeterHistory, _ facts: CustomerFacts
    ) throws(LedgerError) -> Signal? {
        let today = history.today
        let days = history.days.drop { $0.value == 0 }.suffix(Self.daysBack)
        guard days.count >= Anomaly.historyMin, let median = Robust.median(days.map(\.value))
        else { return nil }
        // Whole hours, so that rollups say what had been used by then on other days.
        let hour = facts.now.seconds.floorDivided(by: 3_600) * 3_600
        let elapsed = hour - today.period.start.seconds
        let share =
            Double(elapsed) / Double(max(1, today.period.end.seconds - today.period.start.seconds))
        // Half of a day and nothing of it is worth a look, and so is a day that is ahead.
        // Nothing where nothing is usual is neither.
        let isAhead =
            today.value > 0 && today.value >= median * max(share, 0.1) * (1 + Anomaly.changeMin)
        let isBehind =
            median > 0 && share >= 0.5
            && today.value <= median * share * (1 - Anomaly.changeMin)
        guard isAhead || isBehind else { return nil }
        // The hour that goes on counts on the side of what is usual: in full on earlier days when
        // today is ahead, not at all when it is behind.
        let past = try partOfDays(
            Array(days), history, own.quota, isAhead ? elapsed + 3_600 : elapsed)
        let value =
            isAhead
            ? today.value : try used(own.quota, from: today.period.start, seconds: elapsed)
        guard let anomaly = Anomaly.find(value, history: past) else { return nil }
        if (anomaly.direction == .above) != isAhead { return nil }
        return signal(anomaly, own, history, facts)
    }

    private func partOfDays(
        _ days: [UsageStep], _ history: MeterHistory, _ quota: Quota, _ elapsed: Int64
    ) throws(LedgerError) -> [Double] {
        var rows: [StoredRollup] = []
        for stretch in stretches(days, history) {
            rows += try queries.rollups(
                RollupQuery(
                    customer: quota.customer, meter: quota.meter, window: .hour,
                    from: stretch.start, to: stretch.end))
        }
        // Hours that are gone leave whole days to compare with.
        if rows.isEmpty { return days.map(\.value) }
        return days.map { day in
            let end = day.period.start.adding(seconds: elapsed)
            return rows.reduce(0.0) { sum, row in
                day.period.start <= row.start && row.start < end
                    ? sum + Double(row.state.reading(quota.aggregation)) : sum
            }
        }
    }

    /// The time that hours can be of: an hour costs a look-up in the ledger if anybody used anything
    /// in it, so days without usage are left out.
    private func stretches(_ days: [UsageStep], _ history: MeterHistory) -> [Period] {
        var found: [Period] = []
        for day in days where history.daysOfRows?.contains(day.period.start) ?? true {
            if let last = found.indices.last, found[last].end == day.period.start {
                found[last].end = day.period.end
            } else {
                found.append(day.period)
            }
        }
        return found
    }

    private func used(
        _ quota: Quota, from start: Timestamp, seconds: Int64
    ) throws(LedgerError) -> Double {
        let rows = try queries.rollups(
            RollupQuery(
                customer: quota.customer, meter: quota.meter, window: .hour, from: start,
                to: start.adding(seconds: seconds)))
        return rows.reduce(0) { $0 + Double($1.state.reading(quota.aggregation)) }
    }

    private func signal(
        _ anomaly: Anomaly, _ own: CustomerFacts.QuotaFacts, _ history: MeterHistory,
        _ facts: CustomerFacts
    ) -> Signal {
        let today = history.today.period
        let value = Estimate.units(anomaly.value)
        let usual = Estimate.units(anomaly.median)
        let isAbove = anomaly.direction == .above
        let change =
            usual > 0 && isAbove
            ? ", \(value.share(of: usual) / 100) % of what is usual" : ""
        let tenths = Estimate.units(anomaly.score * 10)
        return facts.signal(
            .anomaly, own.quota.feature, of: today.start,
            anomaly.score >= 2 * Anomaly.scoreMin && isAbove ? .high : .medium,
            score: 40 + Int(min(40, anomaly.score * 2)), since: today.start,
            reason: "\(facts.id) has used \(own.text(value)) \(own.name) today "
                + "(\(SignalText.date(today.start, facts.zone))), "
                + "\(isAbove ? "far more" : "far less") "
                + "than the \(own.text(usual)) that are usual by this time of day over the last "
                + "\(SignalText.count(Int64(anomaly.historyCount), "day"))\(change).",
            numbers: [
                "meter": .string(own.quota.meter.rawValue), "today": own.number(value),
                "usual": own.number(usual), "days": .integer(anomaly.historyCount),
                "deviations": .number(DecimalQuantity.text(units: tenths, scale: 1)),
                "direction": .string(anomaly.direction.rawValue),
            ], basis: [.init(period: today, used: value, limit: nil)], scale: own.scale)
    }
}
