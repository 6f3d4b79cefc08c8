package import Entitlements
import Foundation
package import Logging
package import MeteringModel
package import MeteringPorts
import Synchronization
import UsageAggregation

/// Recounts everything from the log and compares: ledger rows, rollup totals, this process's
/// counters and the shared store; and usage rows with the rollups of their periods. Reads only; safe while the service runs.
package final class Reconciler: Sendable {
    private let pipeline: MeteringPipeline
    private let replay: any LogReplay
    private let queries: any LedgerQueries
    private let catalog: CurrentCatalog
    private let settings: MeteringSettings
    private let counterReading: CounterReading
    private let shared: (any SharedCounters)?
    private let logger: Logger

    /// Used and held of a live counter as the gate sees it now; nil when it has none.
    package typealias CounterReading = @Sendable (CustomerID, FeatureKey, Period) -> Int64?

    package init(
        pipeline: MeteringPipeline, replay: any LogReplay, queries: any LedgerQueries,
        catalog: CurrentCatalog, settings: MeteringSettings, shared: (any SharedCounters)?,
        logger: Logger, counterReading: @escaping CounterReading
    ) {
        self.pipeline = pipeline
        self.replay = replay
        self.queries = queries
        self.catalog = catalog
        self.settings = settings
        self.shared = shared
        self.logger = logger
        self.counterReading = counterReading
    }

    /// The stores at one point between two commits.
    private struct Cut: Sendable {
        var snapshot: CatalogSnapshot
        var positions: [PartitionClaim]
        var corrected: CorrectedEvents
        var usage: [StoredUsage]
        var totals: [MeterTotal]
        /// How many usage rows were held against rollups, and what differs.
        var rollupsCompared: Int64 = 0
        var rollupDrifts: [ReconcileReport.Drift] = []
        var counters: [(key: UsageKey, feature: FeatureKey, used: Int64)]
    }

    package func reconcile() async throws(QueryError) -> ReconcileReport {
        let taken = await pipeline.betweenCommits { [self] in takeCut() }
        let cut: Cut
        switch taken {
        case .success(let found): cut = found
        case .failure(let error): throw QueryError(code: .unavailable, message: error.message)
        }
        let recounted = await BlockingWork.run("tollgate-recount") { [self] in
            recount(cut)
        }
        switch recounted {
        case .failure(let error): throw QueryError(code: .unavailable, message: error.message)
        case .success(var report):
            await compareShared(cut, &report)
            report.drifts.sort {
                ($0.store, $0.customer, $0.meter) < ($1.store, $1.customer, $1.meter)
            }
            return report
        }
    }

    private func takeCut() -> Result<Cut, LedgerError> {
        let snapshot = catalog.load()
        do throws(LedgerError) {
            var cut = Cut(
                snapshot: snapshot, positions: try queries.positions(),
                corrected: try CorrectedEvents(queries, hash: snapshot.hash), usage: [],
                totals: try queries.totals(),
                counters: [])
            var usage: [StoredUsage] = []
            try queries.liveUsage(endingAfter: .distantPast) { usage.append($0) }
            cut.usage = usage
            try checkRollups(usage, snapshot, &cut)
            for row in usage {
                guard let customer = snapshot.liveCustomer(row.key.customer),
                    let meter = snapshot.meterIndex(row.key.meter)
                else { continue }
                let owner = snapshot.customer(customer)
                for feature in Self.features(of: owner, meter: meter, in: row.key.period) {
                    guard let used = counterReading(owner.id, feature, row.key.period) else {
                        continue
                    }
                    cut.counters.append((row.key, feature, used))
                }
            }
            return .success(cut)
        } catch {
            return .failure(error)
        }
    }

    /// Here and not later: the next commit changes both sides.
    private func checkRollups(
        _ usage: [StoredUsage], _ snapshot: CatalogSnapshot, _ cut: inout Cut
    ) throws(LedgerError) {
        let check = RollupCheck(snapshot, try queries.rollupsKept())
        let rows = usage.filter { Self.isKept($0.key, snapshot) }
        for window in RollupWindow.allCases {
            let (count, findings) = try check.compare(rows, window, queries)
            cut.rollupsCompared += count
            cut.rollupDrifts += findings.map { finding in
                ReconcileReport.Drift(
                    customer: finding.key.customer.rawValue, meter: finding.key.meter.rawValue,
                    period: finding.key.period, store: finding.store, recounted: finding.inUsage,
                    stored: finding.inRollups)
            }
        }
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

    private func recount(_ cut: Cut) -> Result<ReconcileReport, EventLogError> {
        let snapshot = cut.snapshot
        let recount = LogRecount(
            snapshot: snapshot, settings: settings, replay: replay, corrected: cut.corrected)
        let builder = BatchBuilder(recount.segments, settings)
        var usage: [UsageKey: (Aggregation, UsageState)] = [:]
        var rollups: [RollupKey: (Aggregation, UsageState)] = [:]
        let read: Int64
        do throws(EventLogError) {
            read = try recount.run(upTo: cut.positions) { fold, dimensions in
                let (batch, _) = builder.build(fold, dimensions: dimensions)
                let corrected = batch.corrections.flatMap(\.usage)
                for row in batch.usage + corrected {
                    usage[row.key, default: (row.aggregation, UsageState())].1
                        .merge(row.delta, row.aggregation)
                }
                let correctedRollups = batch.corrections.flatMap(\.rollups).map(\.delta)
                for row in batch.rollups + correctedRollups where row.window == .day {
                    let key = Self.total(row.customer, row.meter)
                    rollups[key, default: (row.aggregation, UsageState())].1
                        .merge(row.delta, row.aggregation)
                }
            }
        } catch {
            return .failure(error)
        }
        let counters = recount.counters
        let control = counters.holds.load(ordering: .relaxed)
        let corrections = counters.corrections.load(ordering: .relaxed)
        var report = ReconcileReport(
            eventsRead: read, eventsCounted: counters.counted.load(ordering: .relaxed),
            duplicates: counters.duplicates.load(ordering: .relaxed),
            setAside: counters.setAsideByReason().reduce(0) { $0 + $1.count },
            filtered: counters.filtered.load(ordering: .relaxed),
            controlEvents: control + corrections, rowsCompared: 0, drifts: [], notes: [])
        compare(cut, usage, rollups, &report)
        report.rowsCompared += cut.rollupsCompared
        report.drifts += cut.rollupDrifts
        if !report.drifts.isEmpty {
            report.notes.append(
                "the log is recounted under revision \(snapshot.revision) as it stands: usage of "
                    + "subjects and customers that were moved or deleted after their events, and of "
                    + "meters whose events were defined anew, counts where it belongs now")
        }
        return .success(report)
    }

    private static func total(_ customer: CustomerID, _ meter: MeterKey) -> RollupKey {
        RollupKey(
            customer: customer, meter: meter, window: .day, start: .distantPast, dimensions: "")
    }

    /// Whether the timeline keeps the row; one that it does not is left over from other terms.
    private static func isKept(_ key: UsageKey, _ snapshot: CatalogSnapshot) -> Bool {
        guard let customer = snapshot.liveCustomer(key.customer),
            let meter = snapshot.meterIndex(key.meter)
        else { return false }
        return Segments.counts(key.period, of: snapshot.customer(customer), meter: meter)
    }

    private func compare(
        _ cut: Cut, _ usage: [UsageKey: (Aggregation, UsageState)],
        _ rollups: [RollupKey: (Aggregation, UsageState)], _ report: inout ReconcileReport
    ) {
        let snapshot = cut.snapshot
        var open = usage
        for row in cut.usage where Self.isKept(row.key, snapshot) {
            let recounted = open.removeValue(forKey: row.key)?.1
            note(
                "ledger", row.key, recounted?.reading(row.aggregation) ?? 0,
                row.state.reading(row.aggregation), &report)
        }
        for (key, value) in open { note("ledger", key, value.1.reading(value.0), 0, &report) }
        var totals = rollups
        for total in cut.totals where snapshot.liveCustomer(total.customer) != nil {
            let key = Self.total(total.customer, total.meter)
            let recounted = totals.removeValue(forKey: key)
            report.rowsCompared += 1
            let value = recounted.map { $0.1.reading($0.0) } ?? 0
            if value != total.value || recounted?.1.count ?? 0 != total.count {
                report.drifts.append(
                    .init(
                        customer: total.customer.rawValue, meter: total.meter.rawValue,
                        period: nil, store: "rollups", recounted: value, stored: total.value))
            }
        }
        for (key, value) in totals where value.1 != UsageState() {
            report.drifts.append(
                .init(
                    customer: key.customer.rawValue, meter: key.meter.rawValue, period: nil,
                    store: "rollups", recounted: value.1.reading(value.0), stored: 0))
        }
        let stored = Dictionary(
            cut.usage.map { ($0.key, $0.state.reading($0.aggregation)) },
            uniquingKeysWith: { first, _ in first })
        for counter in cut.counters {
            note("counters", counter.key, stored[counter.key] ?? 0, counter.used, &report)
        }
    }

    private func note(
        _ store: String, _ key: UsageKey, _ recounted: Int64, _ value: Int64,
        _ report: inout ReconcileReport
    ) {
        report.rowsCompared += 1
        if recounted == value { return }
        report.drifts.append(
            .init(
                customer: key.customer.rawValue, meter: key.meter.rawValue, period: key.period,
                store: store, recounted: recounted, stored: value))
    }

    /// The shared store is compared with the ledger as it is now: it may be a moment behind.
    private func compareShared(
        _ cut: Cut, _ report: inout ReconcileReport
    ) async {
        guard let shared else { return }
        let snapshot = cut.snapshot
        var keys: [SharedCounterKey] = []
        var values: [Int64] = []
        let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        for row in cut.usage
        where row.key.period.end > now && Self.isKept(row.key, snapshot) {
            guard let customer = snapshot.liveCustomer(row.key.customer) else { continue }
            keys.append(
                SharedCounterKey(
                    root: snapshot.customer(snapshot.root(of: customer, at: now)).id,
                    customer: row.key.customer,
                    meter: row.key.meter, period: row.key.period))
            values.append(row.state.reading(row.aggregation))
        }
        for start in stride(from: 0, to: keys.count, by: 500) {
            let part = Array(keys[start..<min(start + 500, keys.count)])
            do throws(SharedCounterError) {
                let found = try await shared.read(part)
                for (offset, counter) in found.enumerated() {
                    let key = part[offset]
                    let row = UsageKey(
                        customer: key.customer, meter: key.meter, period: key.period)
                    note("redis", row, values[start + offset], counter?.used ?? 0, &report)
                }
            } catch {
                report.notes.append("redis was not compared: \(error.message)")
                return
            }
        }
    }
}
