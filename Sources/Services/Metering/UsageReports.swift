package import Entitlements
package import MeteringModel
package import MeteringPorts

/// Answers questions about recorded usage from the ledger.
package final class UsageReports: UsageReporting {
    package typealias NearLimitPage =
        @Sendable (_ over: Int64, _ limit: Int, _ cursor: String?) throws(QueryError) -> (
            entries: [NearLimitEntry], next: String?
        )

    private let queries: any LedgerQueries
    private let catalog: CurrentCatalog
    private let nearLimitPage: NearLimitPage
    private let reconciler: Reconciler
    private let completeTo: @Sendable () -> Timestamp?
    private let clock: WallClock

    package init(
        queries: any LedgerQueries, catalog: CurrentCatalog, reconciler: Reconciler,
        clock: WallClock, nearLimit: @escaping NearLimitPage,
        completeTo: @escaping @Sendable () -> Timestamp?
    ) {
        self.queries = queries
        self.catalog = catalog
        self.reconciler = reconciler
        self.clock = clock
        nearLimitPage = nearLimit
        self.completeTo = completeTo
    }

    package func usage(
        customer: CustomerID, feature: String, from: Timestamp?, to: Timestamp?,
        window: UsageWindow, groupBy: [String]
    ) throws(QueryError) -> UsageReport {
        let snapshot = catalog.load()
        guard let index = snapshot.liveCustomer(customer) else {
            throw QueryError(code: .notFound, message: "no customer \(customer)")
        }
        let zone = snapshot.customer(index).zone
        let (meter, key) = try resolve(feature, snapshot)
        let unknown = groupBy.filter { name in !meter.groupBy.contains { $0.name == name } }
        if let name = unknown.first {
            throw QueryError(
                code: .invalid,
                message: "meter \(meter.key) has no dimension \(name); it has "
                    + (meter.groupBy.isEmpty
                        ? "none" : meter.groupBy.map(\.name).joined(separator: ", ")))
        }
        let now = clock.now()
        let end = to ?? now.adding(seconds: 1)
        let start = from ?? Self.rule(.month).period(containing: now, zone: zone).start
        guard start < end else {
            throw QueryError(code: .invalid, message: "from must be before to")
        }
        let stored = try rows(customer, meter.key, window, start, end, zone)
        return UsageReport(
            customer: customer, feature: key, meter: meter.key, unit: meter.unit,
            scale: meter.scale, window: window.rawValue, timeZone: zone.name,
            usageCompleteTo: completeTo(),
            windows: Self.windows(stored, meter, window, zone, groupBy))
    }

    private func resolve(
        _ name: String, _ snapshot: CatalogSnapshot
    ) throws(QueryError) -> (MeterDefinition, FeatureKey?) {
        if name.hasPrefix("meter:") {
            let key = MeterKey(name.dropFirst(6))
            guard let index = snapshot.meterIndex(key) else {
                throw QueryError(code: .notFound, message: "no meter \(key)")
            }
            return (snapshot.meters[index], nil)
        }
        guard let feature = snapshot.feature(FeatureKey(name)) else {
            throw QueryError(code: .notFound, message: "no feature \(name)")
        }
        guard let key = feature.meter, let index = snapshot.meterIndex(key) else {
            throw QueryError(code: .invalid, message: "feature \(name) is not metered")
        }
        return (snapshot.meters[index], feature.key)
    }

    private func rows(
        _ customer: CustomerID, _ meter: MeterKey, _ window: UsageWindow, _ start: Timestamp,
        _ end: Timestamp, _ zone: TimeZoneRules
    ) throws(QueryError) -> [StoredRollup] {
        // Whole windows: the one that `start` lies in counts in full.
        let unit: PeriodUnit = window == .hour ? .hour : .day
        let aligned =
            window == .hour
            ? Segments.hour(start).start
            : Self.rule(unit).period(containing: start, zone: zone).start
        do throws(LedgerError) {
            return try queries.rollups(
                RollupQuery(
                    customer: customer, meter: meter, window: window == .hour ? .hour : .day,
                    from: aligned, to: end))
        } catch {
            throw QueryError(code: .unavailable, message: error.message)
        }
    }

    private static func windows(
        _ stored: [StoredRollup], _ meter: MeterDefinition, _ window: UsageWindow,
        _ zone: TimeZoneRules, _ groupBy: [String]
    ) -> [UsageReport.Window] {
        struct Key: Hashable {
            var period: Period
            var group: [String: String]
        }
        var merged: [Key: UsageState] = [:]
        for row in stored {
            let period: Period
            switch window {
            case .hour: period = Segments.hour(row.start)
            case .day: period = rule(.day).period(containing: row.start, zone: zone)
            case .month: period = rule(.month).period(containing: row.start, zone: zone)
            }
            let values = groupBy.isEmpty ? [:] : DimensionText.parse(row.dimensions)
            var group: [String: String] = [:]
            for name in groupBy { group[name] = values[name] ?? "" }
            merged[Key(period: period, group: group), default: UsageState()]
                .merge(row.state, meter.aggregation)
        }
        return merged.map { key, state in
            UsageReport.Window(
                start: key.period.start, end: key.period.end,
                value: state.reading(meter.aggregation), count: state.count, group: key.group)
        }
        .sorted {
            if $0.start != $1.start { return $0.start < $1.start }
            return $0.group.sorted { $0.key < $1.key }.map(\.value).joined(separator: "\u{1}")
                < $1.group.sorted { $0.key < $1.key }.map(\.value).joined(separator: "\u{1}")
        }
    }

    private static func rule(_ unit: PeriodUnit) -> PeriodRule {
        PeriodRule(unit: unit, anchor: .calendar)
    }

    package func nearLimit(
        overBasisPoints: Int64, limit: Int, cursor: String?
    ) throws(QueryError) -> (entries: [NearLimitEntry], next: String?) {
        try nearLimitPage(overBasisPoints, limit, cursor)
    }

    package func alerts(
        customer: CustomerID?, since: Timestamp?, cursor: String?, limit: Int
    ) throws(QueryError) -> (alerts: [StoredCrossing], next: String?) {
        let after = try Self.sequence(cursor)
        do throws(LedgerError) {
            let found = try queries.crossings(
                customer: customer, since: since, after: after, limit: limit + 1)
            return (Array(found.prefix(limit)), Self.next(found.map(\.sequence), limit))
        } catch {
            throw QueryError(code: .unavailable, message: error.message)
        }
    }

    package func setAside(
        kind: SetAsideEvent.Kind?, cursor: String?, limit: Int
    ) throws(QueryError) -> (events: [StoredSetAside], next: String?) {
        let after = try Self.sequence(cursor)
        do throws(LedgerError) {
            let found = try queries.setAside(kind: kind, after: after, limit: limit + 1)
            return (Array(found.prefix(limit)), Self.next(found.map(\.sequence), limit))
        } catch {
            throw QueryError(code: .unavailable, message: error.message)
        }
    }

    package func totals() throws(QueryError) -> [MeterTotal] {
        do throws(LedgerError) {
            let snapshot = catalog.load()
            return try queries.totals().map { total in
                var total = total
                total.isBillable = Self.isBillable(total.customer, snapshot)
                return total
            }
        } catch {
            throw QueryError(code: .unavailable, message: error.message)
        }
    }

    /// By the environment; one that is not known any more goes by its name (`acme#sandbox`).
    private static func isBillable(_ id: CustomerID, _ snapshot: CatalogSnapshot) -> Bool {
        if let number = snapshot.customerIndex(id) {
            return snapshot.customer(number).environment.isBillable
        }
        return !Environment.allCases.contains { environment in
            !environment.isBillable && id.rawValue.hasSuffix("#\(environment.rawValue)")
        }
    }

    package func reconcile() async throws(QueryError) -> ReconcileReport {
        try await reconciler.reconcile()
    }

    private static func sequence(_ cursor: String?) throws(QueryError) -> Int64 {
        guard let cursor else { return 0 }
        guard let sequence = Int64(cursor), sequence >= 0 else {
            throw QueryError(code: .invalid, message: "cursor is not one that a page returned")
        }
        return sequence
    }

    private static func next(_ sequences: [Int64], _ limit: Int) -> String? {
        sequences.count > limit && limit > 0 ? String(sequences[limit - 1]) : nil
    }
}
