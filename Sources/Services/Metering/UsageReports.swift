package import Entitlements
package import MeteringModel
package import MeteringPorts

/// Answers questions about recorded usage from the ledger.
package final class UsageReports: UsageReporting {
    package typealias NearLimitPage =
        @Sendable (_ over: Int64, _ filter: NearLimitFilter, _ limit: Int, _ cursor: String?)
        throws(QueryError) -> (entries: [NearLimitEntry], next: String?)

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

    package func usage(_ query: UsageQuery) throws(QueryError) -> UsageReport {
        let snapshot = catalog.load()
        guard let index = snapshot.liveCustomer(query.customer) else {
            throw QueryError(code: .notFound, message: "no customer \(query.customer)")
        }
        let zone = snapshot.customer(index).zone
        let (meter, key) = try resolve(query.feature, snapshot)
        let reading = try UsageReading(query, meter, zone: zone, now: clock.now())
        let kept: RollupsKept
        let page: (windows: [UsageReport.Window], next: String?)
        do throws(LedgerError) {
            page = try reading.page(queries, try queries.rollupsKept())
            // After the reading: what was dropped meanwhile must not look like no usage.
            kept = try queries.rollupsKept()
        } catch {
            throw QueryError(code: .unavailable, message: error.message)
        }
        try reading.check(kept)
        return UsageReport(
            customer: query.customer, feature: key, meter: meter.key, unit: meter.unit,
            scale: meter.scale, window: query.window.rawValue, timeZone: zone.name,
            usageCompleteTo: completeTo(), windows: page.windows, next: page.next)
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

    package func nearLimit(
        overBasisPoints: Int64, filter: NearLimitFilter, limit: Int, cursor: String?
    ) throws(QueryError) -> (entries: [NearLimitEntry], next: String?) {
        try nearLimitPage(overBasisPoints, filter, limit, cursor)
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
