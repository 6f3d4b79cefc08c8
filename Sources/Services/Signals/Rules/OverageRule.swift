import MeteringModel
import MeteringPorts

/// Upsell: a limit that was too small in most of the last periods.
enum OverageRule {
    static func signal(_ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts) -> Signal? {
        let past = own.past
        let over = past.filter { period in
            period.limit.finite.map { period.used > $0 } ?? false
        }
        guard !own.isDenied, over.count >= facts.settings.overagePeriodsMin else { return nil }
        let zone = facts.zone
        let spells = over.map { period in
            let limit = period.limit.finite ?? 0
            return "\(own.text(period.used - limit)) over \(own.text(limit)) in the period that "
                + "ended on \(SignalText.lastDay(of: period.period, zone))"
        }
        var reason =
            "\(facts.id) went over its limit of \(own.name) in \(over.count) of the last "
            + "\(SignalText.count(Int64(past.count), "period")): \(SignalText.list(spells))"
        if let upgrade = own.upgrade { reason += "; the next larger plan is \(upgrade)" }
        let isAlways = over.count == past.count && over.count > facts.settings.overagePeriodsMin
        let total = over.reduce(Int64(0)) {
            $0.addingSaturated($1.used - ($1.limit.finite ?? 0))
        }
        return facts.signal(
            .upsell, own.quota.feature, of: own.period.start, isAlways ? .high : .medium,
            score: 55 + 10 * over.count, since: past.first?.period.end, reason: reason + ".",
            numbers: [
                "periods_over": .integer(over.count), "periods": .integer(past.count),
                "overage": own.number(total),
                "next_plan": .optional(own.upgrade),
            ],
            basis: past.map { .init(period: $0.period, used: $0.used, limit: $0.limit.finite) },
            scale: own.scale)
    }
}
