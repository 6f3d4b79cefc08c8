import Enforcement
import Entitlements
import Foundation
import Logging
import Metering
import MeteringModel
import MeteringPorts
import RedisClient
import RedisCounterStore
import SQLLedger
import Synchronization

/// The whole way of an event, wired as `tollgate serve` does, over one workload.
struct MeteringRun {
    enum Target {
        case nothing
        case ledger
        case ledgerAndRedis(port: Int)
    }

    struct Result {
        var eventsPerSecond: Double
        /// Processor time of the whole process per event.
        var processorNanoseconds: Double
        var commits: Int64
        var checksum: String
    }

    let load: Workload

    /// - Parameter makeReader: gets what to call when records can begin to flow.
    func run(
        _ target: Target, _ makeReader: (@escaping () -> Void) throws -> any EventLogReader
    ) async throws -> Result {
        let folder = try ScratchFolder()
        let ledger = try SQLLedger(path: folder.path + "/ledger.db")
        defer { ledger.close() }
        let clock = WallClock {
            Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        }
        let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        let catalog = CurrentCatalog(load.snapshot)
        let board = CounterBoard(catalog: catalog, queries: ledger, minimumCapacity: 1 << 16)
        let shared = try Self.shared(target, clock, logger)
        let tracker = UsageTracker(
            board: board, index: NearLimitIndex(), shared: shared, queries: ledger, clock: clock)
        let start = StartTime()
        let counters = MeteringCounters()
        let reader = try makeReader { start.set() }
        var store: any UsageLedger = ledger
        if case .nothing = target { store = NullLedger() }
        let pipeline = MeteringPipeline(
            reader: reader, ledger: store, queries: ledger, catalog: catalog, observer: tracker,
            settings: MeteringSettings(), counters: counters, instance: "bench", clock: clock,
            logger: logger)
        pipeline.start()
        let deadline = Measure.nowNanoseconds() + 300_000_000_000
        let wanted = Int64(load.count)
        while pipeline.positions.reduce(0, { $0 + $1.nextOffset }) < wanted
            || shared.map({ !$0.isLevel }) ?? false
        {
            usleep(2_000)
            if Measure.nowNanoseconds() > deadline {
                throw BenchmarkFailure("the pipeline came to a halt: \(pipeline.trouble ?? "?")")
            }
        }
        let spent = start.elapsed()
        await pipeline.stop()
        await shared?.close()
        var result = Result(
            eventsPerSecond: Double(load.count) / spent.seconds,
            processorNanoseconds: spent.processorSeconds / Double(load.count) * 1e9,
            commits: counters.commits.load(ordering: .relaxed), checksum: "")
        if case .nothing = target { return result }
        result.checksum = try verify(ledger)
        return result
    }

    /// Every customer's total must be what the workload's generator had summed up.
    private func verify(_ ledger: SQLLedger) throws -> String {
        var found: [CustomerID: Int64] = [:]
        var count: Int64 = 0
        for total in try ledger.totals() {
            found[total.customer, default: 0] += total.value
            count += total.count
        }
        guard count == Int64(load.count) else {
            throw BenchmarkFailure("the ledger counted \(count) events of \(load.count)")
        }
        var checksum = Checksum()
        for (rank, expected) in load.expected.enumerated() {
            let value = found[Workload.customer(rank)] ?? 0
            guard value == expected else {
                throw BenchmarkFailure("customer \(rank) has \(value) units, not \(expected)")
            }
            checksum.add(value)
        }
        return checksum.text
    }

    private static func shared(
        _ target: Target, _ clock: WallClock, _ logger: Logger
    ) throws -> SharedCounterSync? {
        guard case .ledgerAndRedis(let port) = target else { return nil }
        let store = try RedisCounterStore(
            RedisConnection.Configuration(url: RedisURL(host: "127.0.0.1", port: port)))
        return SharedCounterSync(store: store, clock: clock, logger: logger)
    }

    /// When the records began to flow, by wall clock and by processor time.
    private final class StartTime: Sendable {
        private let nanoseconds = Atomic<UInt64>(0)
        private let processorMicroseconds = Atomic<Int>(0)

        func set() {
            processorMicroseconds.store(
                Int(Measure.processorSeconds() * 1e6), ordering: .relaxed)
            nanoseconds.store(Measure.nowNanoseconds(), ordering: .releasing)
        }

        func elapsed() -> (seconds: Double, processorSeconds: Double) {
            let wall = Measure.nowNanoseconds() - nanoseconds.load(ordering: .acquiring)
            let begun = Double(processorMicroseconds.load(ordering: .relaxed)) / 1e6
            return (Double(wall) / 1e9, Measure.processorSeconds() - begun)
        }
    }
}

/// A ledger that accepts everything and keeps nothing.
final class NullLedger: PartialUsageLedger {
    func claim(_ partitions: [Int32]) throws(LedgerError) -> [PartitionClaim] {
        partitions.map { PartitionClaim(partition: $0, epoch: 1, nextOffset: 0, completeTo: nil) }
    }

    func commit(
        _ batch: LedgerBatch, score: (UsageChange) -> [Crossing]
    ) throws(LedgerError) -> LedgerCommit {
        LedgerCommit(changes: [], newCrossings: [])
    }

    func dedupeMarks(
        partition: Int32, since: Timestamp, _ body: (DedupeMark, Timestamp) -> Void
    ) throws(LedgerError) {}

    func prune(
        dedupeBefore instant: Timestamp, admissionsBefore: Timestamp
    ) throws(LedgerError) {}
}
