import Entitlements
import MeteringModel
import MeteringPorts

/// Holds usage rows against what else is made of the same events: their rollups, and this process's
/// counters. Page by page, each in a state of the ledger of its own, so that none is held for long.
///
/// The pipeline stands still only while a page's state is taken and its counters are read, both
/// from memory; rows and rollups are read from that state afterwards.
struct RowCheck: Sendable {
    let pipeline: MeteringPipeline
    let snapshot: any LedgerSnapshot
    let catalog: CurrentCatalog
    let counterReading: Reconciler.CounterReading
    /// At least so many rows make a page, as far as there are more.
    let pageRows: Int

    /// Each page looks once at every instant at which some rollup starts, so there are not many.
    private static let pagesMax = 64
    /// A charge takes a counter and notes itself in two steps, so a counter may be met in between.
    /// One that is wrong is wrong however often it is looked at.
    private static let looksMax = 5

    /// What is taken while the pipeline stands still.
    private struct Moment: Sendable {
        var catalog: CatalogSnapshot
        var counters: [(key: UsageKey, used: Int64)]
    }

    /// - Parameter keys: of the rows.
    func run(_ keys: [UsageKey], _ report: inout ReconcileReport) async throws(LedgerError) {
        var doubtful: [UsageKey] = []
        for page in pages(keys) {
            let moment = try await take(page)
            let outcome = await BlockingWork.run("tollgate-recount") {
                [report] in
                Result { () throws(LedgerError) in
                    var report = report
                    let rows = try read(page)
                    try compareRollups(rows, moment.catalog, &report)
                    let doubtful = Self.compareCounters(rows, moment, &report)
                    return (report, doubtful)
                }
            }
            let (next, more) = try outcome.get()
            report = next
            doubtful += more
        }
        try await lookAgain(doubtful, &report)
        snapshot.letGo()
    }

    private func take(_ keys: [UsageKey]) async throws(LedgerError) -> Moment {
        try await pipeline.betweenPolls {
            Result { () throws(LedgerError) in
                try snapshot.hold()
                let catalog = catalog.load()
                return Moment(catalog: catalog, counters: counters(of: keys, catalog))
            }
        }.get()
    }

    /// Rows that are not there any more are left out.
    private func read(_ keys: [UsageKey]) throws(LedgerError) -> [StoredUsage] {
        var rows: [StoredUsage] = []
        rows.reserveCapacity(keys.count)
        for key in keys {
            if let row = try snapshot.queries.usage(key) { rows.append(row) }
        }
        return rows
    }

    private func compareRollups(
        _ rows: [StoredUsage], _ catalog: CatalogSnapshot, _ report: inout ReconcileReport
    ) throws(LedgerError) {
        let check = RollupCheck(catalog, try snapshot.queries.rollupsKept())
        let rows = rows.filter { Segments.isKept($0.key, catalog) }
        for window in RollupWindow.allCases {
            let (count, findings) = try check.compare(rows, window, snapshot.queries)
            report.rowsCompared += count
            report.drifts += findings.map { finding in
                ReconcileReport.Drift(
                    customer: finding.key.customer.rawValue, meter: finding.key.meter.rawValue,
                    period: finding.key.period, store: finding.store, recounted: finding.inUsage,
                    stored: finding.inRollups)
            }
        }
    }

    // MARK: counters

    private func counters(
        of keys: [UsageKey], _ catalog: CatalogSnapshot
    ) -> [(key: UsageKey, used: Int64)] {
        var counters: [(key: UsageKey, used: Int64)] = []
        for key in keys {
            guard let customer = catalog.liveCustomer(key.customer),
                let meter = catalog.meterIndex(key.meter)
            else { continue }
            let owner = catalog.customer(customer)
            for feature in Self.features(of: owner, meter: meter, in: key.period) {
                guard let used = counterReading(owner.id, feature, key.period) else { continue }
                counters.append((key, used))
            }
        }
        return counters
    }

    /// Features with a quota on the meter at any time of the period.
    private static func features(
        of owner: CompiledCustomer, meter: Int, in period: Period
    ) -> Set<FeatureKey> {
        var features: Set<FeatureKey> = []
        for segment in owner.segments
        where segment.start < period.end && period.start < segment.end {
            for index in segment.quotas(ofMeter: meter) {
                features.insert(segment.quotaEntitlement(index).feature)
            }
        }
        return features
    }

    /// - Returns: rows whose counters hold something else.
    private static func compareCounters(
        _ rows: [StoredUsage], _ moment: Moment, _ report: inout ReconcileReport
    ) -> [UsageKey] {
        var doubtful: Set<UsageKey> = []
        let stored = readings(rows)
        for counter in moment.counters {
            report.rowsCompared += 1
            if stored[counter.key] ?? 0 != counter.used { doubtful.insert(counter.key) }
        }
        return Array(doubtful)
    }

    private func lookAgain(
        _ keys: [UsageKey], _ report: inout ReconcileReport
    ) async throws(LedgerError) {
        var doubtful = keys
        for look in 1..<Self.looksMax where !doubtful.isEmpty {
            let keys = doubtful
            let moment = try await take(keys)
            let rows = try await BlockingWork.run("tollgate-recount") {
                Result { () throws(LedgerError) in try read(keys) }
            }.get()
            let stored = Self.readings(rows)
            let differing = moment.counters.filter { stored[$0.key] ?? 0 != $0.used }
            doubtful = Array(Set(differing.map(\.key)))
            guard look == Self.looksMax - 1 else { continue }
            for counter in differing {
                report.drifts.append(
                    .init(
                        customer: counter.key.customer.rawValue,
                        meter: counter.key.meter.rawValue, period: counter.key.period,
                        store: "counters", recounted: stored[counter.key] ?? 0,
                        stored: counter.used))
            }
        }
    }

    private static func readings(_ rows: [StoredUsage]) -> [UsageKey: Int64] {
        Dictionary(
            rows.map { ($0.key, $0.state.reading($0.aggregation)) },
            uniquingKeysWith: { first, _ in first })
    }

    // MARK: pages

    /// By customer, none of whom is on two pages.
    private func pages(_ keys: [UsageKey]) -> [[UsageKey]] {
        let sorted = keys.sorted { $0.customer < $1.customer }
        let size = max(pageRows, (keys.count + Self.pagesMax - 1) / Self.pagesMax)
        var pages: [[UsageKey]] = []
        for key in sorted {
            if let last = pages.last, last.count < size || last.last?.customer == key.customer {
                pages[pages.count - 1].append(key)
            } else {
                pages.append([key])
            }
        }
        return pages
    }
}
