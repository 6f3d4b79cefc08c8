import MeteringModel
import MeteringPorts
import SQLClient
import SQLLedger

/// Rollup rows that a ledger commit upserts per second, beside the same upserts of the same rows on
/// bare SQLite: one prepared statement, one transaction per batch, the same table and settings.
struct RollupBenchmark {
    let options: BenchOptions
    let report: Report

    private var customers: Int { options.isSmoke ? 2_000 : 20_000 }
    private var batches: Int { options.isSmoke ? 3 : 12 }

    func run() throws {
        let (ours, bare) = try Measure.alternating(
            runs: options.runs, { try throughLedger() }, { try onSQLite() })
        report.add(
            ReportRow(
                name: "rollup upserts (hour, day, month; 3 in 4 rows there already)",
                ours: ours.rate, reference: "bare SQLite " + bare.rate,
                ratio: (ours / bare).short + " ×"))
    }

    /// Each batch touches everybody's hour, day and month; the hour is new every fourth time.
    private func rows(_ batch: Int) -> [RollupDelta] {
        var rows: [RollupDelta] = []
        rows.reserveCapacity(customers * 3)
        let base = Timestamp(seconds: 1_793_000_000)
        let state = UsageState.one(.sum, value: 10, at: base.microseconds)
        for rank in 0..<customers {
            for window in RollupWindow.allCases {
                let hours = window == .hour ? Int64(batch / 4) * 3_600 : 0
                rows.append(
                    RollupDelta(
                        customer: Workload.customer(rank), meter: "tokens", window: window,
                        start: base.adding(seconds: hours), dimensions: #"{"model":"m1"}"#,
                        aggregation: .sum, delta: state))
            }
        }
        return rows
    }

    /// - Returns: rows per second.
    private func throughLedger() throws -> Double {
        let folder = try ScratchFolder()
        let ledger = try SQLLedger(path: folder.path + "/ledger.db")
        defer { ledger.close() }
        guard let claim = try ledger.claim([0]).first else {
            throw BenchmarkFailure("the ledger gives no partition")
        }
        var spent = 0.0
        var count = 0
        for number in 0..<batches {
            let offset = Int64(number)
            var batch = LedgerBatch(
                partition: 0, epoch: claim.epoch, baseOffset: offset, nextOffset: offset + 1,
                completeTo: Timestamp(seconds: 1_793_000_000))
            batch.rollups = rows(number)
            count += batch.rollups.count
            spent += try Measure.nanoseconds { _ = try ledger.commit(batch) { _ in [] } }
        }
        let total = try ledger.totals().reduce(0) { $0 + $1.value }
        guard total == Int64(10 * customers * batches) else {
            throw BenchmarkFailure("the ledger holds \(total) units")
        }
        return Double(count) / spent * 1e9
    }

    private func onSQLite() throws -> Double {
        let folder = try ScratchFolder()
        var settings = SQLConnection.Options(synchronous: .normal)
        settings.cacheKibibytes = 64 * 1_024
        settings.checkpointPages = 16_000
        let connection = try SQLConnection(path: folder.path + "/bare.db", options: settings)
        defer { connection.close() }
        try connection.execute(bareTable)
        let upsert = try connection.statement(bareUpsert)
        var spent = 0.0
        var count = 0
        for number in 0..<batches {
            let rows = rows(number)
            count += rows.count
            spent += try Measure.nanoseconds {
                try connection.transaction { () throws(SQLError) in
                    for row in rows {
                        try upsert.bind(row.window.rawValue, at: 1)
                        try upsert.bind(row.start.microseconds, at: 2)
                        try upsert.bind(row.customer.rawValue, at: 3)
                        try upsert.bind(row.meter.rawValue, at: 4)
                        try upsert.bind(row.dimensions, at: 5)
                        try upsert.bind(row.delta.count, at: 6)
                        try upsert.bind(row.delta.value, at: 7)
                        try upsert.run()
                    }
                }
            }
        }
        return Double(count) / spent * 1e9
    }
}

private let bareTable = """
    CREATE TABLE rollups (
        rollup_window TEXT NOT NULL, window_start INTEGER NOT NULL, customer TEXT NOT NULL,
        meter TEXT NOT NULL, dimensions TEXT NOT NULL, count INTEGER NOT NULL,
        value INTEGER NOT NULL,
        PRIMARY KEY (rollup_window, window_start, customer, meter, dimensions)
    ) STRICT, WITHOUT ROWID
    """

private let bareUpsert = """
    INSERT INTO rollups (rollup_window, window_start, customer, meter, dimensions, count, value)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (rollup_window, window_start, customer, meter, dimensions) DO UPDATE SET
        count = rollups.count + excluded.count, value = rollups.value + excluded.value
    """
