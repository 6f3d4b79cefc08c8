import Billing
import BillingExport
import Entitlements
import MeteringModel
import MeteringPorts
import SQLLedger
import Signals

/// What billing and signals cost over many customers: pages of open statements, closing a month,
/// checking it, a sweep of signals, planning what Stripe is told. Beside the least that any of it
/// could do: one bare point read of the ledger for each customer.
struct DeskBenchmark {
    let options: BenchOptions
    let report: Report

    private static let pageSize = 100
    private static let month = "2026-10"

    func run() async throws {
        let stage = try DeskStage(count: options.isSmoke ? 300 : 20_000)
        defer { stage.close() }
        let sources = stage.billing
        let engine = BillingEngine(sources)
        try await engine.prepare()
        let service = BillingService(sources, engine: engine, events: nil)
        let read = try pointRead(stage)
        try await close(stage, engine, read)
        try await pages(service, stage, read)
        try await check(service, stage, month: Self.month, read)
        try await check(service, stage, month: nil, read)
        try await signals(stage, read)
        try await meterEvents(stage, read)
    }

    /// Nanoseconds of one.
    private func pointRead(_ stage: DeskStage) throws -> Double {
        let snapshot = stage.current.load()
        let october = try DeskStage.instant("2026-10-15T12:00:00Z")
        let keys = (0..<snapshot.customerCount).map { number in
            let customer = snapshot.customer(number)
            return UsageKey(
                customer: customer.id, meter: MeterKey(DeskStage.features[0]),
                period: PeriodRule(unit: .month, anchor: .calendar)
                    .period(containing: october, zone: customer.zone))
        }
        var found = 0
        let nanoseconds = try Measure.median(
            (0..<options.runs).map { _ in
                found = 0
                return try Measure.nanoseconds {
                    for key in keys where try stage.ledger.usage(key) != nil { found += 1 }
                }
            })
        guard found > 0 else { throw BenchmarkFailure("the ledger holds no usage") }
        return nanoseconds / Double(keys.count)
    }

    private func add(
        _ name: String, _ ours: String, perItem nanoseconds: Double, _ read: Double,
        reachFirst: String, isMet: Bool
    ) {
        report.add(
            ReportRow(
                name: name, ours: ours, reference: "point read \((read / 1e3).short) µs",
                ratio: (nanoseconds / read).short + " reads each", reachFirst: reachFirst,
                isMet: options.isSmoke ? nil : isMet))
    }

    // MARK: billing

    private func close(
        _ stage: DeskStage, _ engine: BillingEngine, _ read: Double
    ) async throws {
        stage.clock.set(try DeskStage.instant("2026-11-28T10:00:00Z"))
        let start = Measure.nowNanoseconds()
        let closed = try await engine.closeDue()
        let each = Double(Measure.nowNanoseconds() - start) / Double(max(1, closed))
        guard closed == stage.count else {
            throw BenchmarkFailure("\(closed) of \(stage.count) statements were closed")
        }
        add(
            "month closed, \(stage.count) customers", (1e9 / each).rate, perItem: each, read,
            reachFirst: "≥ 1500 /s", isMet: each <= 1e9 / 1_500)
    }

    private func pages(
        _ service: BillingService, _ stage: DeskStage, _ read: Double
    ) async throws {
        var latencies: [Double] = []
        var cursor: String?
        var shown = 0
        repeat {
            let start = Measure.nowNanoseconds()
            let answer = try await service.read(
                BillingQuery(
                    subject: .statements(month: "2026-11", state: "open"), principal: .local,
                    cursor: cursor, limit: Self.pageSize))
            latencies.append(Double(Measure.nowNanoseconds() - start))
            shown += answer.body["items"]?.elements?.count ?? 0
            cursor = answer.body["next"]?.text
        } while cursor != nil
        guard shown == stage.count else {
            throw BenchmarkFailure("\(shown) of \(stage.count) open statements are listed")
        }
        latencies.sort()
        let (median, p99) = (
            latencies[latencies.count / 2], latencies[latencies.count * 99 / 100]
        )
        add(
            "page of \(Self.pageSize) open statements",
            "p50 \((median / 1e6).short) ms, p99 \((p99 / 1e6).short) ms",
            perItem: median / Double(Self.pageSize), read, reachFirst: "p99 ≤ 100 ms",
            isMet: p99 <= 100e6)
    }

    /// - Parameter month: nil: all that are closed, those before the first start among them, which
    ///   have no statements.
    private func check(
        _ service: BillingService, _ stage: DeskStage, month: String?, _ read: Double
    ) async throws {
        let start = Measure.nowNanoseconds()
        let body = try await service.read(
            BillingQuery(subject: .check(month: month, customer: nil), principal: .local)
        ).body
        let months = body["checked"]?["months"]?.integer ?? 0
        let each = Double(Measure.nowNanoseconds() - start) / Double(max(1, months))
        guard months >= Int64(stage.count), body["drift_count"]?.integer == 0,
            body["mismatch_count"]?.integer == 0
        else { throw BenchmarkFailure("the check found what is not there") }
        add(
            "billing check, \(month ?? "all"), \(months) customer-months",
            "\((each / 1e3).short) µs each", perItem: each, read, reachFirst: "≤ 500 µs",
            isMet: each <= 500e3)
    }

    // MARK: signals and exports

    private func signals(_ stage: DeskStage, _ read: Double) async throws {
        let service = stage.signals
        let start = Measure.nowNanoseconds()
        await service.drain()
        let each = Double(Measure.nowNanoseconds() - start) / Double(stage.count)
        let details = await service.details
        let computed = details.first { $0.name == "signals_computed" }?.value
        guard computed == Int64(stage.count) else {
            throw BenchmarkFailure("signals of \(computed ?? 0) customers were computed")
        }
        add(
            "sweep of signals, \(stage.count) customers", "\((each / 1e3).short) µs each",
            perItem: each, read, reachFirst: "≤ 500 µs", isMet: each <= 500e3)
    }

    private func meterEvents(_ stage: DeskStage, _ read: Double) async throws {
        let planning = try stage.meterEvents()
        for turn in ["first", "second"] {
            let start = Measure.nowNanoseconds()
            let planned = try await planning.sweep()
            let each = Double(Measure.nowNanoseconds() - start) / Double(stage.count)
            guard (planned > 0) == (turn == "first") else {
                throw BenchmarkFailure("the \(turn) sweep planned \(planned) meter events")
            }
            add(
                "Stripe's meter events planned, \(turn) sweep, \(planned) events",
                "\((each / 1e3).short) µs each", perItem: each, read,
                reachFirst: "≤ 500 µs", isMet: each <= 500e3)
        }
    }
}
