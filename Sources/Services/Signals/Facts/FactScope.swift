import Entitlements
import Forecasting
import MeteringModel
import MeteringPorts

/// Which usage the signals about one customer are made from: known from the contract alone, so that
/// it can be read for many customers together.
struct FactScope {
    /// A quota's period that is over, with the quota as it was at its end.
    struct Past {
        var quota: Quota
        var period: Period
        var last: Timestamp
    }

    struct QuotaPeriods {
        var quota: Quota
        var current: Period
        /// Newest first; only periods in which the customer had the quota.
        var past: [Past]
    }

    /// Days of two zones that are one day by their dates begin less than that apart.
    static let zoneSlackSeconds: Int64 = 2 * 86_400

    let customer: CompiledCustomer
    let segment: EntitlementSegment
    let now: Timestamp
    let settings: SignalSettings
    /// The days that are looked back upon, and today.
    let days: Period
    /// The customer's own quotas of now.
    let quotas: [QuotaPeriods]

    /// Nil for customers that signals are not about: removed ones, and usage for other ends than
    /// production.
    init?(_ customer: CompiledCustomer, now: Timestamp, _ settings: SignalSettings) {
        let segment = customer.segment(at: now)
        guard !customer.isRemoved, segment.isPresent, customer.environment.isBillable else {
            return nil
        }
        self.customer = customer
        self.segment = segment
        self.now = now
        self.settings = settings
        let zone = customer.zone
        days = Period(
            start: zone.instant(zone.civilDate(at: now).adding(days: -settings.historyDays)),
            end: DayCalendar.day(of: now, zone: zone).end)
        quotas = segment.quotas.map { quota in
            let current = quota.rule.period(containing: now, zone: zone)
            return QuotaPeriods(
                quota: quota, current: current,
                past: Self.past(
                    of: quota, customer, before: current.start, countMax: settings.periodsBack))
        }
    }

    private static func past(
        of quota: Quota, _ customer: CompiledCustomer, before start: Timestamp, countMax: Int
    ) -> [Past] {
        if quota.rule.unit == .lifetime { return [] }
        var found: [Past] = []
        var end = start
        while found.count < countMax {
            let last = Timestamp(microseconds: end.microseconds - 1)
            let segment = customer.segment(at: last)
            guard let own = segment.quotas.first(where: { $0.feature == quota.feature }),
                own.rule == quota.rule
            else { break }
            let period = quota.rule.period(containing: last, zone: customer.zone)
            found.append(Past(quota: own, period: period, last: last))
            end = period.start
        }
        return found
    }

    /// The usage rows of all these periods.
    var keys: [UsageKey] {
        quotas.flatMap { periods in
            [Self.key(periods.quota, periods.current)]
                + periods.past.map { Self.key($0.quota, $0.period) }
        }
    }

    static func key(_ quota: Quota, _ period: Period) -> UsageKey {
        UsageKey(customer: quota.customer, meter: quota.meter, period: period)
    }
}

/// What the ledger has of some customers, read together.
struct FactUsage {
    var rows: [UsageKey: StoredUsage]
    var days: [CustomerID: [MeterDay]]

    init(_ scopes: [FactScope], _ sources: SignalSources) throws(LedgerError) {
        rows = try sources.queries.usage(scopes.flatMap(\.keys))
        days = [:]
        guard let first = scopes.map(\.days.start).min(), let end = scopes.map(\.days.end).max()
        else { return }
        days = try sources.activity.dayUsage(
            of: scopes.map(\.customer.id),
            from: first.adding(seconds: -FactScope.zoneSlackSeconds), to: end)
    }

    func used(_ quota: Quota, _ period: Period) -> Int64 {
        rows[FactScope.key(quota, period)]?.state.reading(quota.aggregation) ?? 0
    }
}
