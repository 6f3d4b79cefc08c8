import Foundation
import KafkaClient
import KafkaEventLog
import Logging

/// Events per second, from the log to the ledger and the shared counters.
struct MeteringBenchmark {
    let options: BenchOptions
    let report: Report

    private func workload() throws -> Workload {
        let load = try Workload(count: options.isSmoke ? 100_000 : 2_000_000)
        Report.say("  \(load.count) events of \(Int(load.bytesPerEvent)) bytes")
        return load
    }

    func fromMemory() async throws {
        let load = try workload()
        for (name, target) in [
            ("metering from memory, no ledger", MeteringRun.Target.nothing),
            ("metering from memory to ledger", .ledger),
        ] {
            var rates: [Double] = []
            var processor: [Double] = []
            var commits: Int64 = 0
            for _ in 0..<options.runs {
                let result = try await MeteringRun(load: load).run(target) { started in
                    let reader = MemoryLogReader(load, partitionCount: 8)
                    reader.onStart = started
                    return reader
                }
                rates.append(result.eventsPerSecond)
                processor.append(result.processorNanoseconds)
                commits = result.commits
            }
            report.add(
                ReportRow(
                    name: name, ours: Measure.median(rates).rate,
                    reference: "\(Measure.median(processor).short) ns cpu/event",
                    ratio: "\(commits) commits"))
        }
    }

    func fromKafka() async throws {
        let load = try workload()
        let topic = try KafkaTopic(load)
        try topic.fill()
        let redis = try RedisServer()
        var ledgerOnly: [Double] = []
        var whole: [Double] = []
        var bare: [Double] = []
        var calls: [Double] = []
        var inner: [Double] = []
        var checksum = ""
        for _ in 0..<options.runs {
            bare.append(try topic.drainBare())
            ledgerOnly.append(try await pipeline(load, topic, .ledger).eventsPerSecond)
            try redis.command(["FLUSHALL"])
            try redis.command(["CONFIG", "RESETSTAT"])
            let result = try await pipeline(load, topic, .ledgerAndRedis(port: redis.port))
            whole.append(result.eventsPerSecond)
            checksum = result.checksum
            let counted = try redis.calls()
            calls.append(Double(counted.byClients) * 1_000 / Double(load.count))
            inner.append(Double(counted.inFunctions) * 1_000 / Double(load.count))
        }
        let reference = Measure.median(bare)
        add("metering, Kafka to ledger", Measure.median(ledgerOnly), reference, isTarget: false)
        add("metering, Kafka to ledger + Redis", Measure.median(whole), reference, isTarget: true)
        report.add(
            ReportRow(
                name: "Redis calls per 1,000 events", ours: Measure.median(calls).short,
                reference: "1,000 (one each)",
                ratio: "\(Measure.median(inner).short) inside functions", reachFirst: "<= 50",
                isMet: Measure.median(calls) <= 50))
        Report.say("  totals are exact; checksum \(checksum)")
    }

    private func pipeline(
        _ load: Workload, _ topic: KafkaTopic, _ target: MeteringRun.Target
    ) async throws -> MeteringRun.Result {
        let result = try await MeteringRun(load: load).run(target) { started in
            TimedReader(
                try KafkaEventReader(
                    brokers: topic.cluster.bootstrapServers, topic: KafkaTopic.name,
                    group: "bench-\(UInt64.random(in: 0 ... .max))",
                    properties: KafkaTopic.readerProperties,
                    logger: Logger(label: "kafka") { _ in SwiftLogNoOpLogHandler() }),
                onStart: started)
        }
        return result
    }

    private func add(_ name: String, _ ours: Double, _ reference: Double, isTarget: Bool) {
        report.add(
            ReportRow(
                name: name, ours: ours.rate, reference: "bare drain \(reference.rate)",
                ratio: (ours / reference).short, reachFirst: isTarget ? ">= 0.4" : "",
                isMet: isTarget ? ours / reference >= 0.4 : nil))
    }
}
