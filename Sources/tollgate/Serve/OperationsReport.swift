import Enforcement
import Entitlements
import Metering
import MeteringModel
import MeteringPorts
import QuotaEngine
import Synchronization

/// Readiness, details and metrics of the process. Names follow Prometheus custom: base units,
/// `_total` for counters; no customer ever is a label.
final class OperationsReport: OperationsStatus {
    private let pipeline: MeteringPipeline
    private let counters: MeteringCounters
    private let gate: QuotaGate
    private let shared: SharedCounterSync?
    private let index: NearLimitIndex
    private let catalog: CurrentCatalog
    private let clock: WallClock
    private let preflight: [(level: String, text: String)]
    private let alerts: AlertingParts
    private let exports: ExportParts
    private let isServing = Atomic<Bool>(false)

    init(
        pipeline: MeteringPipeline, counters: MeteringCounters, gate: QuotaGate,
        shared: SharedCounterSync?, index: NearLimitIndex, catalog: CurrentCatalog,
        clock: WallClock, preflight: [(level: String, text: String)], alerts: AlertingParts,
        exports: ExportParts
    ) {
        self.pipeline = pipeline
        self.counters = counters
        self.gate = gate
        self.shared = shared
        self.index = index
        self.catalog = catalog
        self.clock = clock
        self.preflight = preflight
        self.alerts = alerts
        self.exports = exports
    }

    func setServing(_ value: Bool) { isServing.store(value, ordering: .releasing) }

    func notReadyReasons() -> [String] {
        var reasons: [String] = []
        if !isServing.load(ordering: .acquiring) {
            reasons.append("not serving: starting, catching up with the event log, or draining")
        }
        if let trouble = pipeline.trouble { reasons.append(trouble) }
        return reasons
    }

    func details() -> [(name: String, value: String)] {
        var details: [(name: String, value: String)] = [
            ("catalog_revision", String(catalog.load().revision)),
            ("lag_records", String(pipeline.lag)),
            (
                "positions",
                pipeline.positions.map { "\($0.partition)@\($0.nextOffset)" }
                    .joined(separator: " ")
            ),
        ]
        if let at = pipeline.completeTo {
            details.append(("usage_complete_to", at.rfc3339(offsetSeconds: 0)))
        }
        if let shared {
            let state = shared.trouble.map { "degraded: \($0)" }
            details.append(
                ("redis", state ?? (shared.isDegraded ? "degraded: rebuilding" : "ok")))
        }
        if let trouble = exports.trouble { details.append(("stripe", trouble)) }
        for (number, finding) in preflight.enumerated() {
            details.append(("preflight_\(number + 1)", "\(finding.level): \(finding.text)"))
        }
        return details.sorted { $0.name < $1.name }
    }

    func metricsText() -> String {
        var text = MetricsText()
        text.gauge("tollgate_build_info", "Always 1.", [("version", "0.1.0")], 1)
        meteringMetrics(&text)
        gateMetrics(&text)
        alerts.metrics(&text, now: clock.now())
        exports.metrics(&text, now: clock.now())
        return text.rendered
    }

    private func meteringMetrics(_ text: inout MetricsText) {
        let name = "tollgate_events_ingested_total"
        let help = "Events read from the log, by what became of them."
        text.counter(name, help, [("result", "counted")], counters.counted.value)
        text.counter(name, help, [("result", "duplicate")], counters.duplicates.value)
        text.counter(name, help, [("result", "filtered")], counters.filtered.value)
        for (reason, count) in counters.setAsideByReason() {
            text.counter(
                "tollgate_events_rejected_total", "Events set aside, by reason.",
                [("reason", reason)], count)
        }
        for (meter, count) in counters.dimensionOverflowsByMeter() {
            text.counter(
                "tollgate_dimension_overflow_total",
                "Events whose dimension values count as __other__, because their meter has met its "
                    + "max_groups this month.", [("meter", meter)], count)
        }
        text.counter(
            "tollgate_events_conflicting_total",
            "Duplicates whose content differed from the first; the first one counts.", [],
            counters.conflicts.value)
        text.counter(
            "tollgate_event_corrections_total", "Corrections of single events read from the log.",
            [], counters.corrections.value)
        text.counter(
            "tollgate_ledger_commits_total", "Ledger transactions.", [], counters.commits.value)
        text.counter(
            "tollgate_ledger_commit_failures_total", "Ledger transactions that failed.", [],
            counters.commitFailures.value)
        text.counter(
            "tollgate_ledger_commit_seconds_total", "Time spent in ledger transactions.", [],
            Double(counters.commitMicrosecondsTotal.value) / 1e6)
        text.counter(
            "tollgate_threshold_crossings_total", "Crossings written to the outbox.", [],
            counters.crossings.value)
        text.gauge(
            "tollgate_log_lag_records", "Records in the log that the ledger lacks.", [],
            Double(pipeline.lag))
        if let at = pipeline.completeTo {
            let age = clock.now().microseconds(since: at)
            text.gauge(
                "tollgate_usage_age_seconds", "How far usage lies behind the log.", [],
                Double(max(0, age)) / 1e6)
        }
    }

    private func gateMetrics(_ text: inout MetricsText) {
        for (reason, isAllowed, count) in gate.statistics.byDecision() where count > 0 {
            text.counter(
                "tollgate_decisions_total", "Decisions, by outcome and reason.",
                [("decision", isAllowed ? "allowed" : "denied"), ("reason", reason.rawValue)],
                count)
        }
        text.gauge(
            "tollgate_counters", "Counters in this process.", [], Double(gate.board.table.count))
        text.gauge(
            "tollgate_counters_bytes", "Memory of the counter table.", [],
            Double(gate.board.table.bytesAllocated))
        text.gauge(
            "tollgate_near_limit_entries", "Quotas in the near-limit index.", [],
            Double(index.count))
        text.counter(
            "tollgate_admission_outages_total", "Admissions decided by the outage policy.", [],
            gate.statistics.outages.value)
        text.counter(
            "tollgate_admission_records_lost_total",
            "Admissions answered under durability fast whose record did not reach the log.", [],
            gate.statistics.lostRecords.value)
        guard let shared else { return }
        text.gauge(
            "tollgate_redis_up", "1 when Redis answers.", [], shared.trouble == nil ? 1 : 0)
        text.gauge(
            "tollgate_degraded", "1 while a mode is degraded.", [("mode", "redis")],
            shared.isDegraded ? 1 : 0)
        text.counter(
            "tollgate_redis_batches_total", "Batches applied to Redis.", [],
            shared.appliedBatches.value)
        text.counter(
            "tollgate_redis_rebuilds_total", "Rebuilds of Redis from the ledger.", [],
            shared.rebuilds.value)
        text.gauge(
            "tollgate_redis_queue_batches", "Batches waiting for Redis.", [],
            Double(shared.queueCount))
    }
}

extension Atomic where Value == Int64 {
    var value: Int64 { load(ordering: .relaxed) }
}

/// Prometheus text 0.0.4, with one HELP and TYPE line a name.
struct MetricsText {
    private(set) var rendered = ""
    private var last = ""

    mutating func counter(
        _ name: String, _ help: String, _ labels: [(String, String)], _ value: Int64
    ) {
        line(name, help, "counter", labels, String(value))
    }

    mutating func counter(
        _ name: String, _ help: String, _ labels: [(String, String)], _ value: Double
    ) {
        line(name, help, "counter", labels, String(value))
    }

    mutating func gauge(
        _ name: String, _ help: String, _ labels: [(String, String)], _ value: Double
    ) {
        line(name, help, "gauge", labels, String(value))
    }

    private mutating func line(
        _ name: String, _ help: String, _ type: String, _ labels: [(String, String)],
        _ value: String
    ) {
        if name != last {
            rendered += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            last = name
        }
        let list = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
        rendered += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
    }
}
