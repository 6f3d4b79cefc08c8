import Entitlements
import Forecasting
import MeteringModel
import MeteringPorts

/// All that signals about one customer are made from, read once.
struct CustomerFacts: Sendable {
    /// A period of a quota that is over.
    struct PastPeriod: Sendable {
        var period: Period
        var used: Int64
        /// At its end, grants included.
        var limit: Limit
    }

    /// One of the customer's own quotas, as it is now.
    struct QuotaFacts: Sendable {
        var quota: Quota
        var name: String
        var price: FeaturePrice?
        var isDenied: Bool
        var period: Period
        var used: Int64
        var limit: Limit
        /// Newest first; only periods in which the customer had the quota.
        var past: [PastPeriod]
        /// A plan that allows more.
        var upgrade: String?

        var shareBasisPoints: Int64? { limit.finite.map { used.share(of: $0) } }
    }

    /// Usage of a meter that nothing entitles to.
    struct Unentitled: Sendable {
        var meter: MeterDefinition
        /// Features that would.
        var features: [FeatureKey]
        var reason: DecisionReason
    }

    let customer: CompiledCustomer
    let segment: EntitlementSegment
    let now: Timestamp
    let settings: SignalSettings
    var quotas: [QuotaFacts] = []
    var histories: [MeterKey: MeterHistory] = [:]
    var unentitled: [Unentitled] = []

    var zone: TimeZoneRules { customer.zone }
    var id: CustomerID { customer.id }

    /// Nil for customers that signals are not about: removed ones, and usage for other ends than
    /// production.
    init?(
        _ customer: CompiledCustomer, _ snapshot: CatalogSnapshot, now: Timestamp,
        _ sources: SignalSources
    ) throws(LedgerError) {
        let segment = customer.segment(at: now)
        guard !customer.isRemoved, segment.isPresent, customer.environment.isBillable else {
            return nil
        }
        self.customer = customer
        self.segment = segment
        self.now = now
        settings = sources.settings
        try readHistories(sources)
        try readQuotas(snapshot, sources)
        findUnentitled(snapshot)
    }

    private mutating func readHistories(_ sources: SignalSources) throws(LedgerError) {
        let today = DayCalendar.day(of: now, zone: zone)
        let first = zone.instant(
            zone.civilDate(at: now).adding(days: -settings.historyDays))
        let calendar = DayCalendar.days(
            from: first, to: today.end, zone: zone, countMax: settings.historyDays + 2)
        let rows = try sources.activity.dayUsage(
            // A day of another zone that reaches past `first` begins up to two days before.
            of: id, from: first.adding(seconds: -2 * 86_400), to: today.end)
        for (meter, rows) in Dictionary(grouping: rows, by: \.meter) {
            histories[meter] = MeterHistory(meter, rows, calendar, zone)
        }
    }

    private mutating func readQuotas(
        _ snapshot: CatalogSnapshot, _ sources: SignalSources
    ) throws(LedgerError) {
        for position in 0..<segment.quotaCount {
            let entitlement = segment.quotaEntitlement(position)
            let quota = segment.quota(position)
            let period = quota.rule.period(containing: now, zone: zone)
            let used = try Self.used(quota, period, sources)
            quotas.append(
                QuotaFacts(
                    quota: quota,
                    name: snapshot.feature(quota.feature)?.name ?? quota.feature.rawValue,
                    price: entitlement.price,
                    isDenied: entitlement.denial != nil, period: period, used: used,
                    limit: sources.limit(quota, period, now),
                    past: try past(of: quota, before: period, sources),
                    upgrade: segment.upgradeHint(quota.feature)))
        }
    }

    private func past(
        of quota: Quota, before period: Period, _ sources: SignalSources
    ) throws(LedgerError) -> [PastPeriod] {
        if quota.rule.unit == .lifetime { return [] }
        var found: [PastPeriod] = []
        var end = period.start
        for _ in 0..<settings.periodsBack {
            let last = Timestamp(microseconds: end.microseconds - 1)
            let segment = customer.segment(at: last)
            guard let own = segment.quotas.first(where: { $0.feature == quota.feature }),
                own.rule == quota.rule
            else { break }
            let past = quota.rule.period(containing: last, zone: zone)
            found.append(
                PastPeriod(
                    period: past, used: try Self.used(own, past, sources),
                    limit: sources.limit(own, past, last)))
            end = past.start
        }
        return found
    }

    private static func used(
        _ quota: Quota, _ period: Period, _ sources: SignalSources
    ) throws(LedgerError) -> Int64 {
        let key = UsageKey(customer: quota.customer, meter: quota.meter, period: period)
        return try sources.queries.usage(key)?.state.reading(quota.aggregation) ?? 0
    }

    private mutating func findUnentitled(_ snapshot: CatalogSnapshot) {
        // Usage of customers below counts here as well, and may be entitled there.
        if snapshot.hasChildren(customer.number) { return }
        for meter in snapshot.meters where histories[meter.key] != nil {
            let features = snapshot.definitions.featureKeys.filter {
                snapshot.feature($0)?.meter == meter.key
            }
            // A meter that no feature sells is nothing to be entitled to.
            if features.isEmpty || features.contains(where: { isEntitled(to: $0, snapshot) }) {
                continue
            }
            var reason = snapshot.absence(of: customer.number, at: now)
            for feature in features {
                if case .denied(let denial) = snapshot.entitlement(
                    of: customer.number, feature, at: now)?.value
                {
                    reason = denial
                }
            }
            unentitled.append(Unentitled(meter: meter, features: features, reason: reason))
        }
    }

    /// By itself, by inheritance, or because a customer above has a quota that it counts in.
    private func isEntitled(to feature: FeatureKey, _ snapshot: CatalogSnapshot) -> Bool {
        if let own = snapshot.entitlement(of: customer.number, feature, at: now) {
            guard case .denied = own.value else { return true }
        }
        var isCounted = false
        snapshot.levels(of: customer.number, feature: feature, at: now) { owner, segment, quota in
            if owner.number != customer.number, segment.quotaEntitlement(quota).denial == nil {
                isCounted = true
            }
        }
        return isCounted
    }
}
