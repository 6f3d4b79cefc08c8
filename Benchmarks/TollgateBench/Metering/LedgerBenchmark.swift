import MeteringModel
import MeteringPorts
import SQLLedger

/// Rows that the SQLite ledger takes per second, in batches of one usage row and three rollups each.
struct LedgerBenchmark {
    let options: BenchOptions
    let report: Report

    func run() throws {
        let rows = options.isSmoke ? 5_000 : 20_000
        let batches = options.isSmoke ? 4 : 20
        let folder = try ScratchFolder()
        let ledger = try SQLLedger(path: folder.path + "/ledger.db")
        defer { ledger.close() }
        guard let claim = try ledger.claim([0]).first else {
            throw BenchmarkFailure("the ledger gives no partition")
        }
        let period = Period(
            start: Timestamp(seconds: 1_793_000_000), end: Timestamp(seconds: 1_795_000_000))
        var offset: Int64 = 0
        let nanoseconds = try Measure.nanoseconds {
            for _ in 0..<batches {
                var batch = LedgerBatch(
                    partition: 0, epoch: claim.epoch, baseOffset: offset,
                    nextOffset: offset + Int64(rows), completeTo: period.start)
                offset += Int64(rows)
                for rank in 0..<rows { Self.add(rank, period, to: &batch) }
                _ = try ledger.commit(batch) { _ in [] }
            }
        }
        report.add(
            ReportRow(
                name: "ledger rows (usage, hour, day, month)",
                ours: (Double(rows * batches * 4) / nanoseconds * 1e9).rate))
    }

    private static func add(_ rank: Int, _ period: Period, to batch: inout LedgerBatch) {
        let customer = Workload.customer(rank)
        let state = UsageState.one(.sum, value: 10, at: period.start.microseconds)
        batch.usage.append(
            UsageDelta(
                key: UsageKey(customer: customer, meter: "tokens", period: period),
                aggregation: .sum, delta: state, admitted: 0))
        for window in RollupWindow.allCases {
            batch.rollups.append(
                RollupDelta(
                    customer: customer, meter: "tokens", window: window, start: period.start,
                    dimensions: "{}", aggregation: .sum, delta: state))
        }
    }
}
