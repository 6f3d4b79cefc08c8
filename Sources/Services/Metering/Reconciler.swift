package import Entitlements
package import MeteringModel
package import MeteringPorts
import Synchronization

/// Recounts everything from the log and compares: ledger rows, rollup totals, this process's
/// counters and the shared store; and usage rows with the rollups of their periods.
///
/// Reads only, and metering goes on meanwhile: it stands still for microseconds at a time, while a
/// state of the ledger is taken. A state is held for as long as all usage rows and month rollups
/// take to be read (1), or one page's rollups (2); the write-ahead log grows by what is committed
/// in that time.
/// 1. Usage rows and totals of one state are read, to be held against the log up to its positions.
/// 2. Rows are held against rollups and counters (`RowCheck`), and against the shared store
///    (`SharedCheck`), each in a later state: nothing has to be the same from one to the next.
/// 3. The log is recounted up to the state of 1.
package final class Reconciler: Sendable {
    private let pipeline: MeteringPipeline
    private let replay: any LogReplay
    private let ledger: any LedgerSnapshots
    private let catalog: CurrentCatalog
    private let settings: MeteringSettings
    private let counterReading: CounterReading
    private let shared: (any SharedCounters)?
    private let clock: WallClock
    private let pageRows: Int

    /// Used and held of a live counter as the gate sees it now; nil when it has none.
    package typealias CounterReading = @Sendable (CustomerID, FeatureKey, Period) -> Int64?

    /// - Parameter pageRows: usage rows that are held against rollups in one state of the ledger.
    package init(
        pipeline: MeteringPipeline, replay: any LogReplay, ledger: any LedgerSnapshots,
        catalog: CurrentCatalog, settings: MeteringSettings, shared: (any SharedCounters)?,
        clock: WallClock, pageRows: Int = 5_000, counterReading: @escaping CounterReading
    ) {
        self.pipeline = pipeline
        self.replay = replay
        self.ledger = ledger
        self.catalog = catalog
        self.settings = settings
        self.shared = shared
        self.clock = clock
        self.pageRows = pageRows
        self.counterReading = counterReading
    }

    package func reconcile() async throws(QueryError) -> ReconcileReport {
        do throws(LedgerError) {
            var report = ReconcileReport()
            let snapshot = try ledger.makeSnapshot()
            let cut = try await takeCut(snapshot)
            try await RowCheck(
                pipeline: pipeline, snapshot: snapshot, catalog: catalog,
                counterReading: counterReading, pageRows: pageRows
            ).run(cut.usage.map(\.key), &report)
            if let shared {
                try await SharedCheck(shared: shared, queries: ledger)
                    .run(cut.usage, cut.catalog, now: clock.now(), &report)
            }
            return try await recount(cut, report)
        } catch {
            throw QueryError(code: .unavailable, message: error.message)
        }
    }

    /// The catalog goes with the state: a change of contracts alters both between two commits.
    private func takeCut(_ snapshot: any LedgerSnapshot) async throws(LedgerError) -> ReconcileCut {
        let catalog = try await pipeline.betweenCommits { [catalog] in
            Result { () throws(LedgerError) in
                try snapshot.hold()
                return catalog.load()
            }
        }.get()
        return try await BlockingWork.run("tollgate-recount") {
            defer { snapshot.letGo() }
            return Result { () throws(LedgerError) in
                try ReconcileCut(snapshot.queries, catalog)
            }
        }.get()
    }

    private func recount(
        _ cut: ReconcileCut, _ begun: ReconcileReport
    ) async throws(LedgerError) -> ReconcileReport {
        let recounted = await BlockingWork.run("tollgate-recount") { [settings, replay] in
            Result { () throws(EventLogError) in
                var report = begun
                let log = try RecountedLog(cut, settings, replay)
                report.count(log)
                log.compare(cut, &report)
                return report
            }
        }
        switch recounted {
        case .failure(let error): throw .unreadable(error)
        case .success(var report):
            if !report.drifts.isEmpty {
                report.notes.append(Self.note(revision: cut.catalog.revision))
            }
            report.drifts.sort {
                ($0.store, $0.customer, $0.meter) < ($1.store, $1.customer, $1.meter)
            }
            return report
        }
    }

    private static func note(revision: Int64) -> String {
        "the log is recounted under revision \(revision) as it stands: usage of subjects and "
            + "customers that were moved or deleted after their events, and of meters whose events "
            + "were defined anew, counts where it belongs now"
    }
}

extension ReconcileReport {
    fileprivate init() {
        self.init(
            eventsRead: 0, eventsCounted: 0, duplicates: 0, setAside: 0, filtered: 0,
            controlEvents: 0, rowsCompared: 0, drifts: [], notes: [])
    }

    fileprivate mutating func count(_ log: RecountedLog) {
        let counters = log.counters
        eventsRead = log.eventsRead
        eventsCounted = counters.counted.load(ordering: .relaxed)
        duplicates = counters.duplicates.load(ordering: .relaxed)
        setAside = counters.setAsideByReason().reduce(0) { $0 + $1.count }
        filtered = counters.filtered.load(ordering: .relaxed)
        controlEvents =
            counters.holds.load(ordering: .relaxed)
            + counters.corrections.load(ordering: .relaxed)
    }
}
