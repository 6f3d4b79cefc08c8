import Forecasting
import MeteringModel
import MeteringPorts

/// Usage that nobody pays for: without any entitlement, or over a soft limit that has no price.
enum LeakageRule {
    static func signal(_ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts) -> Signal? {
        guard !own.isDenied, own.price == nil, own.quota.enforcement == .soft,
            let limit = own.limit.finite, own.used > limit
        else { return nil }
        let share = own.used.share(of: max(1, limit))
        let isTwice = share >= 20_000
        return facts.signal(
            .leakage, own.quota.feature, of: own.period.start, isTwice ? .high : .medium,
            score: isTwice ? 80 : 60,
            reason: "\(facts.id) has used \(own.text(own.used - limit)) \(own.name) over its soft "
                + "limit of \(own.text(limit)) in the period that ends on "
                + "\(SignalText.lastDay(of: own.period, facts.zone)), and \(own.quota.source) has "
                + "no price for them.",
            numbers: [
                "used": own.number(own.used), "limit": own.number(limit),
                "overage": own.number(own.used - limit), "cause": .string("no_overage_price"),
            ], basis: [own.basis], scale: own.scale)
    }

    static func signal(_ found: CustomerFacts.Unentitled, _ facts: CustomerFacts) -> Signal? {
        let days = facts.settings.leakageDays
        guard let history = facts.histories[found.meter.key] else { return nil }
        let stretch = history.days.suffix(days - 1) + [history.today]
        let used = stretch.filter { $0.value > 0 }
        guard let first = used.first, let last = used.last, let begin = stretch.first else {
            return nil
        }
        let period = Period(start: begin.period.start, end: history.today.period.end)
        let total = Estimate.units(used.reduce(0) { $0 + $1.value })
        let scale = found.meter.scale
        let feature = found.features.first
        let month = PeriodRule(unit: .month, anchor: .calendar)
            .period(containing: facts.now, zone: facts.zone)
        // Of readings that do not add up, only the days are told.
        let amount =
            history.isAdditive
            ? "\(SignalText.quantity(total, scale: scale)) of meter \(found.meter.key)"
            : "meter \(found.meter.key)"
        var numbers: [String: JSONValue] = [
            "meter": .string(found.meter.key.rawValue), "days_used": .integer(used.count),
            "cause": .string(found.reason.rawValue),
        ]
        if history.isAdditive {
            numbers["used"] = .number(DecimalQuantity.text(units: total, scale: scale))
        }
        return facts.signal(
            .leakage, feature, of: month.start, .high, score: 70, since: first.period.start,
            reason:
                "\(facts.id) has used \(amount) on \(SignalText.count(Int64(used.count), "day")) "
                + "of the last \(days), last on \(SignalText.date(last.period.start, facts.zone)), "
                + "and \(cause(found.reason, found.features)).",
            numbers: numbers, basis: [.init(period: period, used: total, limit: nil)],
            scale: scale)
    }

    private static func cause(_ reason: DecisionReason, _ features: [FeatureKey]) -> String {
        let names = SignalText.list(features.map(\.rawValue))
        return switch reason {
        case .suspended: "\(names) is suspended"
        case .expired: "its entitlement to \(names) has expired"
        default: "it has no entitlement to \(names)"
        }
    }
}
