import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// Upsell: the last month would have cost less on another plan, fee and usage together.
///
/// Add-ons and seats go along and cost the same, so they are left out on both sides. A plan is
/// compared only if it gives every feature that the present one gives, would have let all of the
/// usage through, and is in the same currency. Amounts are exact; both sides are multiplied by 12,
/// so that a year's fee needs no division.
enum CostRule {
    private struct Cost {
        /// Twelve months like this one.
        var yearly: ExactDecimal
        var monthlyUsage: Int64
    }

    /// Whether usage of the last month cost anything and there is a plan to compare with, so that
    /// a contract is worth reading.
    static func isWorthwhile(_ facts: CustomerFacts, _ definitions: CompiledDefinitions) -> Bool {
        guard let key = facts.segment.plan,
            let plan = definitions.plan(key, version: facts.segment.planVersion),
            definitions.catalog.plans.contains(where: { isComparable($0, plan) })
        else { return false }
        let priced = facts.quotas.filter { $0.price != nil && !$0.isDenied }
        return priced.contains { ($0.past.first?.used ?? 0) > 0 }
            && priced.allSatisfy { $0.quota.rule.unit == .month }
    }

    private static func isComparable(_ other: PlanDefinition, _ own: PlanDefinition) -> Bool {
        other.key != own.key && other.product == own.product && other.currency == own.currency
            && own.currency != nil
    }

    static func signal(
        _ facts: CustomerFacts, _ contract: CustomerContract, _ definitions: CompiledDefinitions
    ) -> Signal? {
        guard let key = facts.segment.plan,
            let plan = definitions.plan(key, version: facts.segment.planVersion),
            let currency = plan.currency,
            let cycles = cyclesPerYear(contract, key, facts.now),
            let own = cost(of: plan, facts, cycles, isPresent: true), own.monthlyUsage > 0,
            let past = facts.quotas.lazy.compactMap(\.past.first).first
        else { return nil }
        var best: (plan: PlanDefinition, cost: Cost)?
        for other in definitions.catalog.plans.sorted(by: { $0.key < $1.key })
        where isComparable(other, plan) {
            guard isWide(other, plan),
                let cost = cost(of: other, facts, cycles, isPresent: false)
            else { continue }
            if best.map({ cost.yearly < $0.cost.yearly }) ?? true { best = (other, cost) }
        }
        guard let best, best.cost.yearly < own.yearly,
            let saving = own.yearly.subtracting(best.cost.yearly),
            let before = monthly(own.yearly, currency), before > 0,
            let after = monthly(best.cost.yearly, currency),
            let less = monthly(saving, currency), less > 0
        else { return nil }
        func money(_ units: Int64) -> String {
            SignalText.quantity(units, scale: currency.minorUnitPlaces) + " \(currency)"
        }
        func number(_ units: Int64) -> JSONValue {
            .number(DecimalQuantity.text(units: units, scale: currency.minorUnitPlaces))
        }
        let percent = less.share(of: before) / 100
        return facts.signal(
            .upsell, nil, of: past.period.end, percent >= 20 ? .high : .medium,
            score: 60 + Int(percent) / 3, since: past.period.end,
            reason: "For the month that ended on "
                + "\(SignalText.lastDay(of: past.period, facts.zone)), \(facts.id) owes "
                + "\(money(before)) on plan \(key), \(money(own.monthlyUsage)) of it for usage; on "
                + "plan \(best.plan.key) it would have been \(money(after)), \(money(less)) less.",
            numbers: [
                "cost": number(before), "usage_cost": number(own.monthlyUsage),
                "next_plan": .string(best.plan.key.rawValue), "next_cost": number(after),
                "saving": number(less), "saving_percent": .integer(percent),
                "currency": .string(currency.code),
            ], basis: [.init(period: past.period, used: past.used, limit: past.limit.finite)],
            scale: facts.quotas.first?.scale ?? 0)
    }

    /// Billing cycles a year of the subscription in force; 0 when it was paid once for good.
    private static func cyclesPerYear(
        _ contract: CustomerContract, _ plan: PlanKey, _ now: Timestamp
    ) -> Int128? {
        let terms = contract.subscriptions.lazy.compactMap { $0.terms.value(at: now) }
            .first { terms in
                terms.plan == plan && terms.start <= now
                    && (terms.end.map { now < $0 } ?? true)
            }
        guard let terms else { return nil }
        switch terms.billingFrequency {
        case .monthly: return 12
        case .quarterly: return 4
        case .annual: return 1
        case .once: return 0
        }
    }

    /// Whether a plan gives every feature that another gives.
    private static func isWide(_ other: PlanDefinition, _ own: PlanDefinition) -> Bool {
        own.entitlements.allSatisfy { feature, entitlement in
            switch (entitlement, other.entitlements[feature]) {
            case (.boolean(false), _), (.boolean(true), .boolean(true)), (.value, .value),
                (.seats, .seats), (.metered, .metered):
                true
            default: false
            }
        }
    }

    /// Nil when the plan would have stopped the usage, or cannot be rated.
    private static func cost(
        of plan: PlanDefinition, _ facts: CustomerFacts, _ cycles: Int128, isPresent: Bool
    ) -> Cost? {
        guard let currency = plan.currency else { return nil }
        var usage: Int64 = 0
        for own in facts.quotas where !own.isDenied {
            guard let past = own.past.first,
                case .metered(let metered) = plan.entitlements[own.quota.feature]
            else { continue }
            let limit = isPresent ? past.limit : metered.limit
            if !isPresent {
                if metered.period != own.quota.rule.unit { return nil }
                if metered.enforcement == .hard, let most = limit.finite, past.used > most {
                    return nil
                }
            }
            guard let price = metered.price else { continue }
            let charge = UsageCharge(
                feature: own.quota.feature, meter: own.quota.meter, scale: own.scale,
                period: past.period,
                spans: [
                    UsageSpan(
                        from: past.period.start, to: past.period.end, price: price,
                        currency: currency, source: "plan \(plan.key)", limit: limit, before: 0,
                        after: past.used)
                ])
            guard let lines = try? UsageRating.lines(charge) else { return nil }
            for line in lines { usage = usage.addingSaturated(line.amount) }
        }
        let fee = plan.fee?.amount ?? .zero
        guard
            let fees = fee.multiplied(by: ExactDecimal(units: cycles, scale: 0)),
            let year = ExactDecimal(
                units: Int128(usage), scale: currency.minorUnitPlaces
            ).multiplied(by: ExactDecimal(units: 12, scale: 0)),
            let sum = year.adding(fees)
        else { return nil }
        return Cost(yearly: sum, monthlyUsage: usage)
    }

    /// A twelfth, to the nearest minor unit.
    private static func monthly(_ yearly: ExactDecimal, _ currency: Currency) -> Int64? {
        let places = max(yearly.scale, currency.minorUnitPlaces)
        guard let units = yearly.units(scale: places) else { return nil }
        var divisor: Int128 = 12
        for _ in currency.minorUnitPlaces..<places {
            let (product, isOver) = divisor.multipliedReportingOverflow(by: 10)
            if isOver { return nil }
            divisor = product
        }
        let (sum, isOver) = units.addingReportingOverflow(divisor / 2)
        return isOver || units < 0 ? nil : Int64(exactly: sum / divisor)
    }
}
