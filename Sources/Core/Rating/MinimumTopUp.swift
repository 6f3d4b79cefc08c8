import MeteringModel

/// What a period's usage lines lack to the minimum of its prices: one line for each currency.
struct MinimumTopUp {
    private let charge: UsageCharge
    private let usage: [RatedLine]

    init(_ charge: UsageCharge, _ usage: [RatedLine]) {
        self.charge = charge
        self.usage = usage
    }

    private var what: String { "the minimum for " + charge.what }

    func lines() throws(RatingError) -> [RatedLine] {
        var lines: [RatedLine] = []
        var done: Set<Currency> = []
        for span in charge.spans {
            guard span.price?.minimum != nil, let currency = span.currency,
                done.insert(currency).inserted
            else { continue }
            if let line = try line(currency) { lines.append(line) }
        }
        return lines
    }

    private func line(_ currency: Currency) throws(RatingError) -> RatedLine? {
        var parts: [RatedLine.Part] = []
        var due = ExactAmount.zero
        var time = RatedLine.Proration(numerator: 0, denominator: 1)
        var (first, last): (UsageSpan?, UsageSpan?)
        for span in charge.spans where span.currency == currency {
            guard let minimum = span.price?.minimum,
                let share = charge.period.share(from: span.from, to: span.to)
            else { continue }
            let amount = try ExactMoney.share(minimum, share, what)
            due = try ExactMoney.sum(due, amount, what)
            parts.append(RatedLine.Part(kind: .minimum, flat: minimum, amount: amount))
            time = RatedLine.Proration(
                numerator: time.numerator + share.numerator, denominator: share.denominator)
            first = first ?? span
            last = span
        }
        guard let first, let last, let price = last.price else { return nil }
        // What was billed counts, not what it was before it was rounded: the sum is the minimum.
        var billed = ExactAmount.zero
        for line in usage where line.currency == currency {
            let amount = ExactDecimal(
                units: Int128(line.amount), scale: currency.minorUnitPlaces)
            billed = try ExactMoney.sum(billed, ExactAmount(amount), what)
        }
        let lacking = try ExactMoney.difference(due, billed, what)
        let amount = try ExactMoney.rounded(lacking, currency, price.rounding, what)
        guard amount > 0 else { return nil }
        let back = try ExactMoney.difference(.zero, billed, what)
        if !back.isZero { parts.append(RatedLine.Part(kind: .billed, amount: back)) }
        return RatedLine(
            kind: .minimum,
            key: RatedLine.key([
                RatedLine.Kind.minimum.rawValue, charge.feature.rawValue,
                String(charge.period.start.microseconds),
                String(charge.period.end.microseconds), currency.code,
            ]),
            feature: charge.feature, meter: charge.meter, source: last.source,
            period: charge.period, from: first.from, to: last.to, dueAt: charge.period.end,
            quantity: 0, scale: charge.scale, parts: parts,
            proration: time.isWhole ? nil : time, exactText: lacking.text, amount: amount,
            currency: currency)
    }
}
