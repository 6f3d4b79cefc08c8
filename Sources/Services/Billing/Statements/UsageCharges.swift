import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// The usage of one customer as it is to be rated: one charge per feature and quota period.
///
/// A period is that of one rule. Where another rule holds in part of it (the quota's period was
/// changed in its midst), that part costs nothing here: the other rule's period has it.
struct UsageCharges {
    let sources: BillingSources
    let snapshot: CatalogSnapshot
    let customer: CompiledCustomer
    /// In whose zone the periods are.
    let frame: MonthFrame
    private let pieces: [FeatureKey: [PricePiece]]

    init(
        _ sources: BillingSources, _ snapshot: CatalogSnapshot, _ customer: CompiledCustomer,
        _ frame: MonthFrame
    ) {
        self.sources = sources
        self.snapshot = snapshot
        self.customer = customer
        self.frame = frame
        pieces = PricePiece.all(of: customer)
    }

    private var zone: TimeZoneRules { frame.zone }

    /// The part of a rule's usage that this month bills: all, but where a neighbour is billed in
    /// another zone.
    private func window(_ rule: PeriodRule) -> Period {
        Period(
            start: frame.seamBefore?.border(rule) ?? .distantPast,
            end: frame.seamAfter?.border(rule) ?? .distantFuture)
    }

    /// Periods that end in the month, by feature, then start.
    /// - Parameter end: only those that end before; nil: all.
    func due(before end: Timestamp?) throws(BillingError) -> [UsageCharge] {
        try charges { rule, piece in
            let window = window(rule)
            let start = frame.seamBefore == nil ? frame.usage.start : window.start
            var last = frame.usage.end
            if frame.seamAfter != nil {
                // The part of a period that the next month leaves to this one.
                let part = Timestamp(microseconds: window.end.microseconds - 1)
                last = rule.period(containing: part, zone: zone).end
            }
            if let end { last = min(last, max(end, start)) }
            var found: [Period] = []
            // Nothing of a period that is over before the piece begins is of interest.
            var instant = max(start, piece.from)
            while true {
                let period = rule.period(containing: instant, zone: zone)
                if period.end > last || period.start >= piece.to { return found }
                if period.end > start { found.append(period) }
                instant = period.end
            }
        }
    }

    /// Periods that hold `instant`, as far as they have gone by.
    func running(at instant: Timestamp) throws(BillingError) -> [UsageCharge] {
        try charges(upTo: instant) { rule, piece in
            let period = rule.period(containing: instant, zone: zone)
            return period.start < instant ? [period] : []
        }
    }

    private func charges(
        upTo end: Timestamp = .distantFuture, _ periods: (PeriodRule, PricePiece) -> [Period]
    ) throws(BillingError) -> [UsageCharge] {
        var charges: [UsageCharge] = []
        for (feature, pieces) in pieces.sorted(by: { $0.key < $1.key }) {
            var found: Set<Period> = []
            for piece in pieces where piece.price != nil && piece.quota.rule.unit != .lifetime {
                found.formUnion(periods(piece.quota.rule, piece).filter(piece.overlaps))
            }
            for period in found.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
                if let charge = try charge(feature, pieces, period, end) {
                    charges.append(charge)
                }
            }
        }
        return charges
    }

    // MARK: one period

    /// What holds in a span; neighbours of equal terms are one span.
    private struct Terms: Hashable {
        var price: FeaturePrice?
        var limit: Limit?
        var grants: [Quota.Grant]
        static let none = Terms(price: nil, limit: nil, grants: [])
    }

    private struct Stretch {
        var from: Timestamp
        var to: Timestamp
        var terms: Terms
        var quota: Quota?
    }

    /// Nil when nothing of the period has a price.
    private func charge(
        _ feature: FeatureKey, _ pieces: [PricePiece], _ period: Period, _ end: Timestamp
    ) throws(BillingError) -> UsageCharge? {
        let stretches = stretches(pieces, period, end)
        guard stretches.contains(where: { $0.terms.price != nil }),
            let quota = stretches.lazy.compactMap(\.quota).first
        else { return nil }
        let readings = try readings(quota, period, cuts: stretches.dropLast().map(\.to))
        let limits = sources.limits(snapshot)
        var spans: [UsageSpan] = []
        for (index, stretch) in stretches.enumerated() {
            let last = Timestamp(microseconds: stretch.to.microseconds - 1)
            spans.append(
                UsageSpan(
                    from: stretch.from, to: stretch.to, price: stretch.terms.price?.price,
                    currency: stretch.terms.price?.currency,
                    source: stretch.terms.price?.source ?? stretch.quota?.source ?? "",
                    limit: stretch.quota.map { limits($0, period, last) },
                    before: index == 0 ? 0 : readings[index - 1], after: readings[index]))
        }
        return UsageCharge(
            feature: feature, meter: quota.meter, scale: quota.scale, period: period, spans: spans)
    }

    /// They tile the period, up to `end`.
    private func stretches(
        _ pieces: [PricePiece], _ period: Period, _ end: Timestamp
    ) -> [Stretch] {
        var stretches: [Stretch] = []
        func add(_ from: Timestamp, _ to: Timestamp, _ terms: Terms, _ quota: Quota?) {
            if from >= to { return }
            if terms != .none, let rule = quota?.rule {
                let window = window(rule)
                for border in [window.start, window.end] where from < border && border < to {
                    add(from, border, terms, quota)
                    return add(border, to, terms, quota)
                }
                if to <= window.start || window.end <= from {
                    return add(from, to, .none, quota)
                }
            }
            if let last = stretches.indices.last, stretches[last].terms == terms {
                stretches[last].to = to
                stretches[last].quota = quota ?? stretches[last].quota
            } else {
                stretches.append(Stretch(from: from, to: to, terms: terms, quota: quota))
            }
        }
        let end = min(period.end, end)
        var place = period.start
        for piece in pieces where piece.overlaps(period) && piece.from < end {
            let from = max(piece.from, period.start)
            add(place, from, .none, nil)
            let isCounted =
                piece.quota.rule.period(containing: from, zone: zone) == period
            let terms = Terms(
                price: piece.price, limit: piece.quota.limit, grants: piece.quota.grants)
            let isPriced = isCounted && piece.price != nil
            add(from, min(piece.to, end), isPriced ? terms : .none, isCounted ? piece.quota : nil)
            place = min(piece.to, end)
        }
        add(place, end, .none, nil)
        return stretches
    }

    /// The meter's cumulative reading at each cut, then at the end.
    private func readings(
        _ quota: Quota, _ period: Period, cuts: [Timestamp]
    ) throws(BillingError) -> [Int64] {
        let customer = customer.id
        let key = UsageKey(customer: customer, meter: quota.meter, period: period)
        // The rows of a zone that the customer has left are not kept up any more.
        let isKept = zone.name == self.customer.zone.name
        return try BillingError.ledger { () throws(LedgerError) in
            let cuts = isKept ? cuts : cuts + [period.end]
            let states =
                cuts.isEmpty
                ? []
                : try sources.cumulative.states(
                    customer: customer, meter: quota.meter, period: period, upTo: cuts)
            if !isKept { return states.map { $0.reading(quota.aggregation) } }
            // The row is the gate's own count; rollups only say how it came about.
            let total = try sources.queries.usage(key)?.state ?? UsageState()
            return (states + [total]).map { $0.reading(quota.aggregation) }
        }
    }
}
