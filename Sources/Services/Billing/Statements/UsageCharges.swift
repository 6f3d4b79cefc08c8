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
    /// Of features that have a price at some time. Hourly and lifetime quotas have none.
    private let pieces: [FeatureKey: [QuotaPiece]]
    private let usage: KnownUsage

    /// - Parameter usage: rows that were read already.
    init(
        _ sources: BillingSources, _ snapshot: CatalogSnapshot, _ customer: CompiledCustomer,
        _ frame: MonthFrame, _ usage: KnownUsage? = nil
    ) {
        self.sources = sources
        self.snapshot = snapshot
        self.customer = customer
        self.frame = frame
        self.usage = usage ?? KnownUsage(sources.queries)
        pieces = QuotaPiece.all(of: customer).filter { $0.value.contains { $0.price != nil } }
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
        try charges { duePeriods(of: $0, before: end) }
    }

    private func duePeriods(of piece: QuotaPiece, before end: Timestamp?) -> [Period] {
        let rule = piece.quota.rule
        let window = window(rule)
        var due = frame.usage
        if frame.seamBefore != nil { due.start = window.start }
        if frame.seamAfter != nil {
            // The period that the next month leaves a part of to this one is in.
            let last = Timestamp(microseconds: window.end.microseconds - 1)
            due.end = rule.period(containing: last, zone: zone).end
        }
        if let end { due.end = min(due.end, max(end, due.start)) }
        return piece.periods(endingIn: due, zone: zone)
    }

    /// Periods that hold `instant`, as far as they have gone by.
    func running(at instant: Timestamp) throws(BillingError) -> [UsageCharge] {
        try charges(upTo: instant) { runningPeriods(of: $0, at: instant) }
    }

    private func runningPeriods(of piece: QuotaPiece, at instant: Timestamp) -> [Period] {
        let period = piece.quota.rule.period(containing: instant, zone: zone)
        let isCounted = piece.from < period.end && period.start < piece.to
        return isCounted && period.start < instant ? [period] : []
    }

    /// The usage rows that charges are made from, so that those of many customers can be read
    /// together.
    /// - Parameters:
    ///   - end: as of `due`.
    ///   - instant: those of `running` too; nil: not.
    func keys(dueBefore end: Timestamp?, runningAt instant: Timestamp? = nil) -> [UsageKey] {
        if !isKept { return [] }
        return pieces.values.joined().flatMap { piece -> [UsageKey] in
            guard piece.price != nil, piece.quota.rule.unit != .lifetime else { return [] }
            let running = instant.map { runningPeriods(of: piece, at: $0) } ?? []
            return (duePeriods(of: piece, before: end) + running).map {
                UsageKey(customer: customer.id, meter: piece.quota.meter, period: $0)
            }
        }
    }

    /// The rows of a zone that the customer has left are not kept up any more.
    private var isKept: Bool { zone.name == customer.zone.name }

    private func charges(
        upTo end: Timestamp = .distantFuture, _ periods: (QuotaPiece) -> [Period]
    ) throws(BillingError) -> [UsageCharge] {
        var charges: [UsageCharge] = []
        for (feature, pieces) in pieces.sorted(by: { $0.key < $1.key }) {
            var found: Set<Period> = []
            for piece in pieces where piece.price != nil && piece.quota.rule.unit != .lifetime {
                found.formUnion(periods(piece))
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

    /// Nil when nothing of the period has a price.
    private func charge(
        _ feature: FeatureKey, _ pieces: [QuotaPiece], _ period: Period, _ end: Timestamp
    ) throws(BillingError) -> UsageCharge? {
        let stretches = QuotaStretch.all(pieces, in: period, upTo: end, zone: zone)
            .flatMap(billedHere)
        guard stretches.contains(where: { $0.price != nil }),
            let quota = stretches.lazy.compactMap(\.quota).first
        else { return nil }
        let readings = try readings(quota, period, cuts: stretches.dropLast().map(\.to))
        let limits = sources.limits(snapshot)
        var spans: [UsageSpan] = []
        for (index, stretch) in stretches.enumerated() {
            let last = Timestamp(microseconds: stretch.to.microseconds - 1)
            spans.append(
                UsageSpan(
                    from: stretch.from, to: stretch.to, price: stretch.price?.price,
                    currency: stretch.price?.currency,
                    source: stretch.price?.source ?? stretch.quota?.source ?? "",
                    limit: stretch.quota.map { limits($0, period, last) },
                    before: index == 0 ? 0 : readings[index - 1], after: readings[index]))
        }
        return UsageCharge(
            feature: feature, meter: quota.meter, scale: quota.scale, period: period, spans: spans)
    }

    /// What a neighbouring month bills costs nothing here.
    private func billedHere(_ stretch: QuotaStretch) -> [QuotaStretch] {
        guard let rule = stretch.quota?.rule, stretch.price != nil else { return [stretch] }
        let window = window(rule)
        var parts: [QuotaStretch] = []
        var rest = stretch
        for border in [window.start, window.end] where rest.from < border && border < rest.to {
            var part = rest
            part.to = border
            rest.from = border
            parts.append(part)
        }
        return (parts + [rest]).map { part in
            var part = part
            if part.to <= window.start || window.end <= part.from { part.price = nil }
            return part
        }
    }

    /// The meter's cumulative reading at each cut, then at the end.
    private func readings(
        _ quota: Quota, _ period: Period, cuts: [Timestamp]
    ) throws(BillingError) -> [Int64] {
        let customer = customer.id
        let key = UsageKey(customer: customer, meter: quota.meter, period: period)
        return try BillingError.ledger { () throws(LedgerError) in
            let cuts = isKept ? cuts : cuts + [period.end]
            let states =
                cuts.isEmpty
                ? []
                : try sources.cumulative.states(
                    customer: customer, meter: quota.meter, period: period, upTo: cuts)
            if !isKept { return states.map { $0.reading(quota.aggregation) } }
            // The row is the gate's own count; rollups only say how it came about.
            let total = try usage.state(key)
            return (states + [total]).map { $0.reading(quota.aggregation) }
        }
    }
}
