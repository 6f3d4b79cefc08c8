import Forecasting
import MeteringModel
import MeteringPorts

/// A customer who is leaving quietly: usage that falls, stops, or never came up to what is paid.
/// One signal a month and feature, for the worst of the three.
enum ChurnRule {
    private struct Finding {
        var severity: SignalSeverity
        var score: Int
        var text: String
        var numbers: [String: JSONValue]
    }

    static func signal(_ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts) -> Signal? {
        if own.isDenied { return nil }
        let findings = [silence(own, facts), fall(own, facts), lowUse(own, facts)]
            .compactMap { $0 }
        guard let worst = findings.max(by: { $0.score < $1.score }) else { return nil }
        let month = PeriodRule(unit: .month, anchor: .calendar)
            .period(containing: facts.now, zone: facts.zone)
        return facts.signal(
            .churnRisk, own.quota.feature, of: month.start, worst.severity, score: worst.score,
            reason: worst.text + ".", numbers: worst.numbers,
            basis: own.past.map {
                .init(period: $0.period, used: $0.used, limit: $0.limit.finite)
            }, scale: own.scale)
    }

    private static func silence(
        _ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts
    ) -> Finding? {
        let quiet = facts.settings.silenceDays
        let before = facts.settings.historyDays - quiet
        guard let history = facts.histories[own.quota.meter], history.today.value == 0,
            history.daysUsed(quiet) == 0
        else { return nil }
        let used = history.daysUsed(before, skipping: quiet)
        guard used >= facts.settings.habitDaysMin,
            let last = history.days.last(where: { $0.value > 0 })
        else { return nil }
        let days = (facts.now.microseconds(since: last.period.end)) / 86_400_000_000
        return Finding(
            severity: .high, score: 75 + min(15, used / 4),
            text: "\(facts.id) has used no \(own.name) for \(SignalText.count(days, "day")): the "
                + "last was on \(SignalText.date(last.period.start, facts.zone)), after use on "
                + "\(used) of the \(before) days before",
            numbers: [
                "days_silent": .integer(days), "days_used_before": .integer(used),
                "last_used": .string(
                    SignalText.date(last.period.start, facts.zone)),
            ])
    }

    private static func fall(
        _ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts
    ) -> Finding? {
        guard let history = facts.histories[own.quota.meter], history.isAdditive else {
            return nil
        }
        let before = Estimate.units(history.total(28, skipping: 28))
        let recent = Estimate.units(history.total(28))
        // Usage that had only begun in those weeks has no habit to lose.
        guard history.daysUsed(28, skipping: 28) >= facts.settings.habitDaysMin,
            history.daysUsed(7, skipping: 49) > 0, before > recent
        else { return nil }
        let fall = (before - recent).share(of: before) / 100
        guard fall >= facts.settings.fallPercentMin else { return nil }
        let isDeep = fall >= facts.settings.deepFallPercentMin
        return Finding(
            severity: isDeep ? .high : .medium, score: Int(fall) * 7 / 10,
            text: "\(facts.id) used \(own.text(recent)) \(own.name) in the last four weeks, after "
                + "\(own.text(before)) in the four weeks before: \(fall) % less",
            numbers: [
                "recent": own.number(recent), "before": own.number(before),
                "fall_percent": .integer(fall),
            ])
    }

    private static func lowUse(
        _ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts
    ) -> Finding? {
        let shares = own.past.compactMap { past in
            past.limit.finite.map { $0 > 0 ? past.used.share(of: $0) : Int64.max }
        }
        guard shares.count == facts.settings.periodsBack, let most = shares.max(),
            most < facts.settings.lowUseBasisPoints
        else { return nil }
        let used = own.past.map { own.text($0.used) }
        return Finding(
            severity: .low, score: 25,
            text: "\(facts.id) used no more than \(SignalText.percent(basisPoints: most)) of its "
                + "\(own.name) in each of the last \(shares.count) periods "
                + "(\(SignalText.list(used)), newest first)",
            numbers: [
                "share_percent_max": .number(DecimalQuantity.text(units: most, scale: 2)),
                "periods": .integer(shares.count),
            ])
    }
}
