import AlertKeys
import Alerting
import Logging
import MeteringModel
import MeteringPorts
import OutboundHTTP
import SQLAlerts

/// Webhook deliveries a second to a local sink: each durable in its line, signed, sent, and durable
/// as delivered before the next one of its endpoint. Beside it, bare POSTs by the same client over
/// as many kept connections.
struct WebhookBenchmark {
    let options: BenchOptions
    let report: Report

    func run() async throws {
        let sink = try await LocalSink.start()
        for endpointCount in [1, 64] {
            let each = options.isSmoke ? 20 : endpointCount == 1 ? 2_000 : 200
            var ours: [Double] = []
            var bare: [Double] = []
            for _ in 0..<options.runs {
                ours.append(try await deliver(sink, endpointCount, each))
                bare.append(try await post(sink, endpointCount, each))
            }
            let (rate, reference) = (Measure.median(ours), Measure.median(bare))
            report.add(
                ReportRow(
                    name: "webhook deliveries, \(endpointCount) endpoint(s)", ours: rate.rate,
                    reference: "bare POSTs \(reference.rate)", ratio: (rate / reference).short))
        }
        try await sink.stop()
    }

    private static func makeSender() throws -> HTTPSender {
        var settings = HTTPSender.Options()
        settings.rules = AddressRules(allowing: [try .init("127.0.0.0/8")])
        settings.connectionsPerPlace = 64
        return try HTTPSender(settings)
    }

    private static let clock = WallClock {
        Timestamp(microseconds: Int64(Measure.nowNanoseconds() / 1_000) + 1_800_000_000_000_000)
    }

    private func deliver(
        _ sink: LocalSink, _ endpointCount: Int, _ each: Int
    ) async throws -> Double {
        let folder = try ScratchFolder()
        let store = try SQLAlerts(path: folder.path + "/alerts.db")
        let vault = try AlertKeyFiles(directory: folder.path + "/keys")
        let sender = try Self.makeSender()
        let secrets = EndpointSecrets(store: store, vault: vault)
        let names = (0..<endpointCount).map { "e\($0)" }
        let now = Self.clock.now()
        for name in names { _ = try secrets.make(name, at: now, oldSecretSeconds: 0) }
        var logger = Logger(label: "bench")
        logger.logLevel = .critical
        let book = EndpointBook(
            records: FixedEndpoints(names, port: sink.port), clock: Self.clock, logger: logger)
        let counters = AlertCounters()
        let dispatcher = AlertDispatcher(
            .init(
                feeder: CrossingFeeder(
                    changes: { _, _ in [] }, store: store, book: book,
                    facts: { _, _, _ in CustomerFacts() }, clock: Self.clock, logger: logger),
                book: book, store: store,
                transports: { _ in
                    WebhookTransport(http: sender, secrets: secrets, clock: Self.clock)
                }, counters: counters, clock: Self.clock, logger: logger))
        let body = Self.body
        for start in stride(from: 0, to: each, by: 500) {
            let items = (start..<min(each, start + 500)).map { number in
                AlertBatch.Item(
                    message: AlertMessage(
                        id: "m\(number)", type: "quota.exhausted", at: now, body: body),
                    endpoints: names)
            }
            try store.take(AlertBatch(items: items, at: now))
        }
        let begin = Measure.nowNanoseconds()
        while counters.value(.delivered) < endpointCount * each {
            try await dispatcher.step()
            await dispatcher.idle()
            if counters.value(.retried) > 0 { throw BenchmarkFailure("the sink refused") }
        }
        let nanoseconds = Double(Measure.nowNanoseconds() - begin)
        await sender.close()
        store.close()
        return Double(endpointCount * each) / nanoseconds * 1e9
    }

    /// As many lines of requests, one after the other in each; nothing signed, nothing stored.
    private func post(
        _ sink: LocalSink, _ lineCount: Int, _ each: Int
    ) async throws -> Double {
        let sender = try Self.makeSender()
        let request = OutboundRequest(
            url: "http://127.0.0.1:\(sink.port)/", body: Array(Self.body.utf8))
        let begin = Measure.nowNanoseconds()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<lineCount {
                group.addTask {
                    for _ in 0..<each { _ = try await sender.send(request) }
                }
            }
            try await group.waitForAll()
        }
        let nanoseconds = Double(Measure.nowNanoseconds() - begin)
        await sender.close()
        return Double(lineCount * each) / nanoseconds * 1e9
    }

    /// About as long as a crossing.
    private static let body =
        "{\"type\":\"quota.exhausted\",\"timestamp\":\"2026-11-28T00:00:00Z\",\"data\":\""
        + String(repeating: "x", count: 480) + "\"}"
}

/// Endpoints that were always there.
private final class FixedEndpoints: RecordKeeping {
    private let histories: [RecordHistory]

    init(_ names: [String], port: Int) {
        histories = names.map { name in
            RecordHistory(
                kind: .alertEndpoint, id: name, customer: nil,
                entries: [
                    .init(
                        sequence: 1, effectiveAt: .distantPast,
                        patch: .object([
                            "kind": .string("webhook"), "digest": .bool(false),
                            "url": .string("http://127.0.0.1:\(port)/"),
                        ]))
                ], revision: 1)
        }
    }

    func change(
        _ kind: RecordKind, _ id: String, customer: CustomerID?, _ context: CommandContext,
        digest: String,
        _ body:
            @escaping @Sendable (JSONValue?) throws(ControlProblem) -> (
                document: JSONValue?, answer: ControlAnswer
            )
    ) async throws(ControlProblem) -> ControlAnswer {
        throw ControlProblem(.conflict, "fixed", "these endpoints do not change")
    }

    func history(_ kind: RecordKind, _ id: String) throws(ControlProblem) -> RecordHistory? {
        histories.first { $0.id == id }
    }

    func records(
        _ kind: RecordKind, customer: CustomerID?
    ) throws(ControlProblem) -> [RecordHistory] { histories }
}
