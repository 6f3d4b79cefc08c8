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

    /// - Parameter usage: of this customer and others.
    init(
        _ scope: FactScope, _ snapshot: CatalogSnapshot, _ usage: FactUsage,
        _ sources: SignalSources
    ) {
        customer = scope.customer
        segment = scope.segment
        now = scope.now
        settings = scope.settings
        takeHistories(scope, usage)
        takeQuotas(scope, snapshot, usage, sources)
        findUnentitled(snapshot)
    }

    private mutating func takeHistories(_ scope: FactScope, _ usage: FactUsage) {
        let calendar = DayCalendar.days(
            from: scope.days.start, to: scope.days.end, zone: zone,
            countMax: settings.historyDays + 2)
        // A day of another zone that reaches past the first begins up to two days before it.
        let first = scope.days.start.adding(seconds: -FactScope.zoneSlackSeconds)
        let rows = (usage.days[id] ?? []).filter {
            first <= $0.start && $0.start < scope.days.end
        }
        for (meter, rows) in Dictionary(grouping: rows, by: \.meter) {
            histories[meter] = MeterHistory(meter, rows, calendar, zone)
        }
    }

    private mutating func takeQuotas(
        _ scope: FactScope, _ snapshot: CatalogSnapshot, _ usage: FactUsage,
        _ sources: SignalSources
    ) {
        for (position, periods) in scope.quotas.enumerated() {
            let entitlement = segment.quotaEntitlement(position)
            let (quota, period) = (periods.quota, periods.current)
            quotas.append(
                QuotaFacts(
                    quota: quota,
                    name: snapshot.feature(quota.feature)?.name ?? quota.feature.rawValue,
                    price: entitlement.price,
                    isDenied: entitlement.denial != nil, period: period,
                    used: usage.used(quota, period),
                    limit: sources.limit(quota, period, now),
                    past: periods.past.map {
                        PastPeriod(
                            period: $0.period, used: usage.used($0.quota, $0.period),
                            limit: sources.limit($0.quota, $0.period, $0.last))
                    },
                    upgrade: segment.upgradeHint(quota.feature)))
        }
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
