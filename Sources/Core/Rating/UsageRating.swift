import MeteringModel

/// Usage of a period, in lines with amounts. A pure function.
///
/// A span costs f(reading at its end) − f(reading at its start), f of the span's price: allowances
/// and tiers are used up in the order of time and never handed out twice, and however a period is
/// cut under one price, its lines come to f(total). Each line is rounded once.
package enum UsageRating {
    /// Decimal places that a meter can have.
    private static let scaleMax = 18

    /// In the order of time; a minimum's line comes last. Spans in which nothing was used and
    /// nothing is due have no line; neighbours under one price and allowance have one together.
    ///
    /// A minimum is that of each span for its share of the period. What the period's lines lack to
    /// it makes one more line, so that lines and minimum come to the rounded minimum exactly.
    /// - Throws: `invalidSpans` when spans leave the period or do not follow each other without a
    ///   gap in time and reading; `overflow`, `missingCurrency`, `invalidPrice`.
    package static func lines(_ charge: UsageCharge) throws(RatingError) -> [RatedLine] {
        try check(charge)
        var charge = charge
        charge.spans = merged(charge.spans)
        var lines: [RatedLine] = []
        for span in charge.spans {
            guard let price = span.price else { continue }
            if let line = try line(span, price, charge) { lines.append(line) }
        }
        if charge.spans.contains(where: { $0.price?.minimum != nil }) {
            lines += try MinimumTopUp(charge, lines).lines()
        }
        return lines
    }

    private static func check(_ charge: UsageCharge) throws(RatingError) {
        guard (0...scaleMax).contains(charge.scale) else {
            throw RatingError(
                .invalidPrice, "\(charge.what) has \(charge.scale) decimal places")
        }
        guard charge.period.end.seconds > charge.period.start.seconds else {
            throw RatingError(.invalidSpans, "\(charge.what) is of a period without a second")
        }
        var last: UsageSpan?
        for span in charge.spans {
            let isInside =
                charge.period.start <= span.from && span.from <= span.to
                && span.to <= charge.period.end
            let follows = last.map { $0.to == span.from && $0.after == span.before } ?? true
            guard isInside, follows else {
                throw RatingError(
                    .invalidSpans,
                    "\(charge.what) has a span from \(span.from.rfc3339()) that "
                        + (isInside ? "does not follow the one before" : "leaves the period"))
            }
            if span.price != nil, span.currency == nil {
                throw RatingError(
                    .missingCurrency, "\(charge.what): \(span.source) has a price in no currency")
            }
            last = span
        }
    }

    /// Neighbours between which nothing changes of what usage costs become one, to be rounded once.
    private static func merged(_ spans: [UsageSpan]) -> [UsageSpan] {
        var merged: [UsageSpan] = []
        for span in spans {
            if let last = merged.last, last.costsTheSame(as: span) {
                merged[merged.count - 1].to = span.to
                merged[merged.count - 1].after = span.after
            } else {
                merged.append(span)
            }
        }
        return merged
    }

    private static func line(
        _ span: UsageSpan, _ price: UsagePrice, _ charge: UsageCharge
    ) throws(RatingError) -> RatedLine? {
        guard let currency = span.currency,
            let share = charge.period.share(from: span.from, to: span.to)
        else { return nil }
        let tariff = UsageTariff(span, price, charge)
        let used = try ExactMoney.difference(span.after, span.before, charge.what)
        let (from, to) = (tariff.billable(span.before), tariff.billable(span.after))
        let parts = try tariff.parts(from: from, to: to, share: share)
        var exact = ExactAmount.zero
        for part in parts { exact = try ExactMoney.sum(exact, part.amount, charge.what) }
        if used == 0, exact.isZero { return nil }
        return RatedLine(
            kind: .usage,
            key: RatedLine.key([
                RatedLine.Kind.usage.rawValue, charge.feature.rawValue,
                String(charge.period.start.microseconds),
                String(charge.period.end.microseconds), String(span.from.microseconds),
            ]),
            feature: charge.feature, meter: charge.meter, source: span.source,
            period: charge.period, from: span.from, to: span.to, dueAt: charge.period.end,
            quantity: to - from,
            includedQuantity: try ExactMoney.difference(used, to - from, charge.what),
            scale: charge.scale, unitPrice: unitPrice(parts), parts: parts,
            proration: price.isFlat && !share.isWhole ? share : nil, exactText: exact.text,
            amount: try ExactMoney.rounded(exact, currency, price.rounding, charge.what),
            currency: currency)
    }

    private static func unitPrice(_ parts: [RatedLine.Part]) -> ExactDecimal? {
        guard parts.count == 1, parts[0].flat == nil, parts[0].kind != .package else { return nil }
        return parts[0].unit
    }
}

extension UsageCharge {
    /// For messages, made only when one is due.
    var what: String { "usage of \"\(feature)\" from \(period.start.rfc3339())" }
}

extension UsageSpan {
    fileprivate func costsTheSame(as next: UsageSpan) -> Bool {
        price == next.price && currency == next.currency && source == next.source
            && (price?.included != .limit || limit == next.limit)
    }
}

extension UsagePrice {
    fileprivate var isFlat: Bool {
        if case .flat = model { return true }
        return false
    }
}
