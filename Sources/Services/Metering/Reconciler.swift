package import Entitlements
import Foundation
package import Logging
package import MeteringModel
package import MeteringPorts
import Synchronization
import UsageAggregation

/// A reader of the whole log, apart from the pipeline's, for recounting.
package protocol LogReplay: AnyObject, Sendable {
    /// Hands over every kept record of every partition, in order within each; blocking.
    func replay(
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError)
}

/// Recounts everything from the log and compares: ledger rows, rollup totals, this process's
/// counters and the shared store. Reads only; safe while the service runs.
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
        var positions: [PartitionClaim]
        var usage: [StoredUsage]
        var totals: [MeterTotal]
        var counters: [(key: UsageKey, feature: FeatureKey, used: Int64)]
    }

    package func reconcile() async throws(QueryError) -> ReconcileReport {
        let snapshot = catalog.load()
        let taken = await pipeline.betweenCommits { [self] in takeCut(snapshot) }
        let cut: Cut
        switch taken {
        case .success(let found): cut = found
        case .failure(let error): throw QueryError(code: .unavailable, message: error.message)
        }
        let recounted = await BlockingWork.run("tollgate-recount") { [self] in
            recount(snapshot, cut)
        }
        switch recounted {
        case .failure(let error): throw QueryError(code: .unavailable, message: error.message)
        case .success(var report):
            await compareShared(snapshot, cut, &report)
            report.drifts.sort {
                ($0.store, $0.customer, $0.meter) < ($1.store, $1.customer, $1.meter)
            }
            return report
        }
    }

    private func takeCut(_ snapshot: CatalogSnapshot) -> Result<Cut, LedgerError> {
        do throws(LedgerError) {
            var cut = Cut(
                positions: try queries.positions(), usage: [], totals: try queries.totals(),
                counters: [])
            var usage: [StoredUsage] = []
            try queries.liveUsage(endingAfter: .distantPast) { usage.append($0) }
            cut.usage = usage
            for row in usage {
                guard let customer = snapshot.customerIndex(row.key.customer),
                    let meter = snapshot.meterIndex(row.key.meter)
                else { continue }
                for index in snapshot.customers[customer].quotas(ofMeter: meter) {
                    let quota = snapshot.quotas[index]
                    guard
                        let used = counterReading(quota.customer, quota.feature, row.key.period)
                    else { continue }
                    cut.counters.append((row.key, quota.feature, used))
                }
            }
            return .success(cut)
        } catch {
            return .failure(error)
        }
    }

    private func recount(
        _ snapshot: CatalogSnapshot, _ cut: Cut
    ) -> Result<ReconcileReport, EventLogError> {
        let counters = MeteringCounters()
        let interpreter = EventInterpreter(
            snapshot: snapshot, settings: settings, counters: counters, instance: "",
            dedupe: DedupeIndex(windowSeconds: settings.dedupeWindowSeconds))
        let ends = Dictionary(
            uniqueKeysWithValues: cut.positions.map { ($0.partition, $0.nextOffset) })
        let builder = BatchBuilder(
            snapshot: snapshot, graceMicroseconds: settings.closingGraceSeconds * 1_000_000)
        var folds: [Int32: PartitionFold] = [:]
        var usage: [UsageKey: (Aggregation, UsageState)] = [:]
        var rollups: [RollupKey: (Aggregation, UsageState)] = [:]
        var read: Int64 = 0
        func drain(_ fold: PartitionFold) {
            let (batch, _) = builder.build(fold, dimensions: interpreter.dimensions)
            for row in batch.usage {
                var known = usage[row.key] ?? (row.aggregation, UsageState())
                known.1.merge(row.delta, row.aggregation)
                usage[row.key] = known
            }
            for row in batch.rollups where row.window == .day {
                let key = RollupKey(
                    customer: row.customer, meter: row.meter, window: .day,
                    start: .distantPast, dimensions: "")
                var known = rollups[key] ?? (row.aggregation, UsageState())
                known.1.merge(row.delta, row.aggregation)
                rollups[key] = known
            }
            fold.committed()
        }
        do throws(EventLogError) {
            try replay.replay { info, headers, value in
                guard info.offset < ends[info.partition] ?? 0 else { return }
                let fold =
                    folds[info.partition]
                    ?? PartitionFold(
                        claim: PartitionClaim(
                            partition: info.partition, epoch: 0, nextOffset: info.offset,
                            completeTo: nil))
                folds[info.partition] = fold
                interpreter.interpret(info, headers, value, into: fold)
                read += 1
                if fold.recordCount >= 50_000 || fold.magnitude > 1 << 61 { drain(fold) }
            }
        } catch {
            return .failure(error)
        }
        for partition in folds.keys.sorted() {
            if let fold = folds[partition] { drain(fold) }
        }
        var report = ReconcileReport(
            eventsRead: read, eventsCounted: counters.counted.load(ordering: .relaxed),
            duplicates: counters.duplicates.load(ordering: .relaxed),
            setAside: counters.setAsideByReason().reduce(0) { $0 + $1.count },
            filtered: counters.filtered.load(ordering: .relaxed),
            controlEvents: counters.holds.load(ordering: .relaxed), rowsCompared: 0, drifts: [],
            notes: [])
        if snapshot.revision > 1 {
            report.notes.append(
                "the log is recounted under catalog revision \(snapshot.revision); rows whose "
                    + "plan, period or meter has changed since their events are listed as drift")
        }
        compare(cut, usage, rollups, &report)
        return .success(report)
    }

    private func compare(
        _ cut: Cut, _ usage: [UsageKey: (Aggregation, UsageState)],
        _ rollups: [RollupKey: (Aggregation, UsageState)], _ report: inout ReconcileReport
    ) {
        var open = usage
        for row in cut.usage {
            let recounted = open.removeValue(forKey: row.key)?.1
            note(
                "ledger", row.key, recounted?.reading(row.aggregation) ?? 0,
                row.state.reading(row.aggregation), &report)
        }
        for (key, value) in open { note("ledger", key, value.1.reading(value.0), 0, &report) }
        var totals = rollups
        for total in cut.totals {
            let key = RollupKey(
                customer: total.customer, meter: total.meter, window: .day, start: .distantPast,
                dimensions: "")
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
        for (key, value) in totals {
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
        _ snapshot: CatalogSnapshot, _ cut: Cut, _ report: inout ReconcileReport
    ) async {
        guard let shared else { return }
        var keys: [SharedCounterKey] = []
        var values: [Int64] = []
        let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        for row in cut.usage where row.key.period.end > now {
            guard let customer = snapshot.customerIndex(row.key.customer) else { continue }
            keys.append(
                SharedCounterKey(
                    root: snapshot.customers[customer].root, customer: row.key.customer,
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
