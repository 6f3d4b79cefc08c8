import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// A customer's usage once more, under one side's quotas and prices.
struct QuotaReplay {
    struct Warning: Hashable {
        var feature: FeatureKey
        var period: Period
        var threshold: String
        var limit: Int64?
        var scale: Int
        var at: Timestamp
    }
    struct Stop: Hashable {
        var feature: FeatureKey
        var period: Period
        var limit: Int64
        /// Units that would have been refused.
        var refused: Int64
        var scale: Int
        /// The hour in which the first of them was used.
        var at: Timestamp
    }

    private(set) var lines: [RatedLine] = []
    private(set) var warnings: [Warning] = []
    private(set) var stops: [Stop] = []
    private(set) var notes: [String] = []

    private let customer: CompiledCustomer
    private let definitions: CompiledDefinitions
    private let curve: UsageCurve
    /// Periods of one feature that are gone through.
    private static let periodsMax = 500

    init(_ customer: CompiledCustomer, _ definitions: CompiledDefinitions, _ curve: UsageCurve) {
        self.customer = customer
        self.definitions = definitions
        self.curve = curve
    }

    /// Goes through all quota periods that end in (window.start, window.end].
    mutating func run(_ window: Period) throws(LedgerError) {
        for (feature, pieces) in QuotaPiece.all(of: customer).sorted(by: { $0.key < $1.key }) {
            var periods: Set<Period> = []
            var isTooLong = false
            for piece in pieces {
                let found = piece.periods(
                    endingIn: window, zone: customer.zone,
                    countMax: Self.periodsMax - periods.count)
                periods.formUnion(found)
                isTooLong = isTooLong || periods.count >= Self.periodsMax
            }
            if isTooLong {
                notes.append(
                    "\(feature): only the first \(Self.periodsMax) periods are in; ask for less "
                        + "time at once")
            }
            let limits = try GrantLimits(customer, feature, window.end, definitions, curve)
            let ordered = periods.sorted { ($0.start, $0.end) < ($1.start, $1.end) }
            for period in ordered { try score(feature, pieces, period, limits) }
        }
    }

    private mutating func score(
        _ feature: FeatureKey, _ pieces: [QuotaPiece], _ period: Period, _ limits: GrantLimits
    ) throws(LedgerError) {
        let stretches = QuotaStretch.all(pieces, in: period, zone: customer.zone)
        guard let first = stretches.lazy.compactMap(\.quota).first else { return }
        let readings = try curve.readings(first, period, at: stretches.map(\.to))
        var before: Int64 = 0
        var spans: [UsageSpan] = []
        var crossed: Set<String> = []
        var stop: Stop?
        for (stretch, after) in zip(stretches, readings) {
            let limit = stretch.quota.map {
                limits.limit(
                    at: Timestamp(microseconds: stretch.to.microseconds - 1), else: $0.limit)
            }
            spans.append(
                UsageSpan(
                    from: stretch.from, to: stretch.to, price: stretch.price?.price,
                    currency: stretch.price?.currency,
                    source: stretch.price?.source ?? stretch.quota?.source ?? "", limit: limit,
                    before: before, after: after))
            if let quota = stretch.quota, let limit {
                try warn(quota, limit, period, stretch, after, &crossed)
                try refuse(quota, limit, period, stretch, before, after, &stop)
            }
            before = after
        }
        if let stop { stops.append(stop) }
        guard stretches.contains(where: { $0.price != nil }) else { return }
        let charge = UsageCharge(
            feature: feature, meter: first.meter, scale: first.scale, period: period, spans: spans)
        do throws(RatingError) { lines += try UsageRating.lines(charge) } catch {
            notes.append("\(feature): not rated, \(error.message)")
        }
    }

    private mutating func warn(
        _ quota: Quota, _ limit: Limit, _ period: Period, _ stretch: QuotaStretch, _ after: Int64,
        _ crossed: inout Set<String>
    ) throws(LedgerError) {
        for threshold in quota.thresholds {
            guard let level = threshold.level(of: limit), after >= level,
                // Again where the limit has changed, as the ledger does.
                crossed.insert("\(threshold.label) \(limit.finite ?? -1)").inserted
            else { continue }
            warnings.append(
                Warning(
                    feature: quota.feature, period: period, threshold: threshold.label,
                    limit: limit.finite, scale: quota.scale,
                    at: try curve.instant(reaching: max(1, level), quota, period, stretch)))
        }
    }

    private func refuse(
        _ quota: Quota, _ limit: Limit, _ period: Period, _ stretch: QuotaStretch,
        _ before: Int64, _ after: Int64, _ stop: inout Stop?
    ) throws(LedgerError) {
        guard let limit = limit.finite, quota.aggregation.isAdditive else { return }
        let allowed: Int64
        switch quota.enforcement {
        case .hard: allowed = limit.addingSaturated(quota.grace?.units ?? 0)
        case .soft:
            guard let most = quota.overageMax else { return }
            allowed = limit.addingSaturated(most)
        }
        let refused = after.subtractingSaturated(max(allowed, before))
        if refused <= 0 { return }
        if var known = stop {
            known.refused = known.refused.addingSaturated(refused)
            stop = known
            return
        }
        let level = max(allowed, before).addingSaturated(1)
        stop = Stop(
            feature: quota.feature, period: period, limit: limit, refused: refused,
            scale: quota.scale,
            at: try curve.instant(reaching: level, quota, period, stretch))
    }
}

/// Limits with what is left of grants, through time.
struct GrantLimits {
    private let points: [GrantBurnDown.Point]

    /// Reads past usage only where there are grants.
    init(
        _ customer: CompiledCustomer, _ feature: FeatureKey, _ end: Timestamp,
        _ definitions: CompiledDefinitions, _ curve: UsageCurve
    ) throws(LedgerError) {
        guard let number = definitions.featureNumber(feature) else {
            points = []
            return
        }
        var intervals = customer.grantIntervals(feature: number, through: end)
        for index in intervals.indices {
            let interval = intervals[index]
            guard
                let quota = customer.segment(at: interval.start).quotas.first(where: {
                    $0.feature == feature
                })
            else { continue }
            let readings = try curve.readings(
                quota, interval.period, at: [interval.start, interval.end])
            intervals[index].used = quota.aggregation.isAdditive ? readings[1] - readings[0] : 0
        }
        points = GrantBurnDown.fold(intervals)
    }

    func limit(at instant: Timestamp, else allowance: Limit) -> Limit {
        points.last { $0.interval.start <= instant && instant < $0.interval.end }?.limit
            ?? allowance
    }
}
