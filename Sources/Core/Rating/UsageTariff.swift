import MeteringModel

/// A usage price as a function of what a meter reads: f(reading), cumulative within a period.
struct UsageTariff {
    let price: UsagePrice
    private let charge: UsageCharge
    /// Smallest units that cost nothing; nil: all of them.
    let included: Int64?

    init(_ span: UsageSpan, _ price: UsagePrice, _ charge: UsageCharge) {
        self.price = price
        self.charge = charge
        switch price.included {
        case .units(let units): included = max(units, 0)
        case .limit:
            switch span.limit {
            case .finite(let units): included = max(units, 0)
            case .unlimited: included = nil
            case nil: included = 0
            }
        }
    }

    /// The part of a reading that is paid for, not below 0.
    func billable(_ reading: Int64) -> Int64 {
        guard let included, reading > included else { return 0 }
        return reading - included
    }

    /// What moving from one billable amount to another costs, step by step. The steps' amounts add
    /// up to f(to) − f(from).
    func parts(
        from: Int64, to: Int64, share: RatedLine.Proration
    ) throws(RatingError) -> [RatedLine.Part] {
        if case .flat(let amount) = price.model {
            let capped = price.maximum.map { min(amount, $0) } ?? amount
            let due = try ExactMoney.share(capped, share, charge.what)
            return [RatedLine.Part(kind: .flat, flat: amount, amount: due)]
        }
        var parts = from == to ? [] : try steps(from: from, to: to)
        if let maximum = price.maximum, from != to {
            let cut = try excess(at: from, over: maximum)
            let more = try ExactMoney.difference(
                cut, try excess(at: to, over: maximum), charge.what)
            if !more.isZero { parts.append(RatedLine.Part(kind: .maximum, amount: more)) }
        }
        return parts
    }

    /// How much the price of a billable amount is above the maximum; not below 0.
    private func excess(
        at billable: Int64, over maximum: ExactDecimal
    ) throws(RatingError) -> ExactAmount {
        var total = ExactAmount.zero
        for part in billable == 0 ? [] : try steps(from: 0, to: billable) {
            total = try ExactMoney.sum(total, part.amount, charge.what)
        }
        let excess = try ExactMoney.difference(total, ExactAmount(maximum), charge.what)
        return excess.isNegative ? .zero : excess
    }

    /// The same without the maximum; `from` and `to` differ.
    private func steps(from: Int64, to: Int64) throws(RatingError) -> [RatedLine.Part] {
        switch price.model {
        case .flat: return []
        case .perUnit(let unit):
            let amount = try ExactMoney.product(
                unit, units: to - from, scale: charge.scale, charge.what)
            return [
                RatedLine.Part(
                    kind: .unit, quantity: to - from, unit: unit, amount: ExactAmount(amount))
            ]
        case .package(let size, let amount):
            guard size > 0 else { throw unusable("a package has no size") }
            let count = Self.begun(to, size) - Self.begun(from, size)
            if count == 0 { return [] }
            let total = try ExactMoney.product(amount, units: count, scale: 0, charge.what)
            return [
                RatedLine.Part(
                    kind: .package, quantity: count, unit: amount, amount: ExactAmount(total))
            ]
        case .graduated(let tiers): return try graduated(tiers, from: from, to: to)
        case .volume(let tiers): return try volume(tiers, from: from, to: to)
        }
    }

    private static func begun(_ billable: Int64, _ size: Int64) -> Int64 {
        let (whole, rest) = billable.quotientAndRemainder(dividingBy: size)
        return rest > 0 ? whole + 1 : whole
    }

    private func graduated(
        _ tiers: [PriceTier], from: Int64, to: Int64
    ) throws(RatingError) -> [RatedLine.Part] {
        let (low, high) = (min(from, to), max(from, to))
        var parts: [RatedLine.Part] = []
        var lower: Int64 = 0
        for tier in tiers {
            let upper = tier.upTo ?? .max
            if lower >= high { return parts }
            let size = min(high, upper) - max(low, lower)
            if size > 0 {
                let isReached = low <= lower
                parts.append(
                    try part(
                        tier, above: lower, quantity: from < to ? size : -size,
                        flats: isReached ? (from < to ? 1 : -1) : 0))
            }
            lower = upper
        }
        guard lower >= high else { throw unusable("its last tier ends at \(lower)") }
        return parts
    }

    private func volume(
        _ tiers: [PriceTier], from: Int64, to: Int64
    ) throws(RatingError) -> [RatedLine.Part] {
        let old = try tier(tiers, of: from)
        let new = try tier(tiers, of: to)
        if let old, let new, old.index == new.index {
            let quantity = to - from
            return [try part(tiers[new.index], above: new.lower, quantity: quantity, flats: 0)]
        }
        var parts: [RatedLine.Part] = []
        if let old {
            parts.append(
                try part(tiers[old.index], above: old.lower, quantity: -from, flats: -1))
        }
        if let new {
            parts.append(try part(tiers[new.index], above: new.lower, quantity: to, flats: 1))
        }
        return parts
    }

    /// The tier that a total lies in; nil for nothing.
    private func tier(
        _ tiers: [PriceTier], of total: Int64
    ) throws(RatingError) -> (index: Int, lower: Int64)? {
        if total == 0 { return nil }
        var lower: Int64 = 0
        for (index, tier) in tiers.enumerated() {
            if total <= tier.upTo ?? .max { return (index, lower) }
            lower = tier.upTo ?? .max
        }
        throw unusable("its last tier ends at \(lower)")
    }

    private func part(
        _ tier: PriceTier, above lower: Int64, quantity: Int64, flats: Int64
    ) throws(RatingError) -> RatedLine.Part {
        var amount = try ExactMoney.product(
            tier.unit, units: quantity, scale: charge.scale, charge.what)
        if flats != 0, !tier.flat.isZero {
            let flat = try ExactMoney.product(tier.flat, units: flats, scale: 0, charge.what)
            amount = try ExactMoney.sum(amount, flat, charge.what)
        }
        return RatedLine.Part(
            kind: .tier, lower: lower, upper: tier.upTo, quantity: quantity, unit: tier.unit,
            flat: flats == 0 || tier.flat.isZero ? nil : tier.flat, amount: ExactAmount(amount))
    }

    private func unusable(_ why: String) -> RatingError {
        RatingError(.invalidPrice, "\(charge.what) has a price that cannot be used: \(why)")
    }
}
