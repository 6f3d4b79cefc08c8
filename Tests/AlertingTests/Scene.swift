import Alerting
import Foundation
import Logging
import MeteringModel
import MeteringPorts
import SQLAlerts
import Testing

/// Alerting as a whole over a real store, with time and the outside faked.
final class Scene {
    let directory: TemporaryDirectory
    let clock = TestClock()
    let sink = FakeSink()
    let feed = MemoryFeed()
    let records = MemoryRecords()
    let vault = FakeVault()
    let counters = AlertCounters()
    let settings: AlertSettings
    var owners: [String: String] = [:]
    private(set) var store: SQLAlerts
    private(set) var parts: Parts
    private var requestCount = 0

    struct Parts {
        var book: EndpointBook
        var outbox: AlertOutbox
        var feeder: CrossingFeeder
        var dispatcher: AlertDispatcher
        var desk: EndpointDesk
    }

    /// - Parameter past: what the ledger's feed holds before alerting starts for the first time.
    init(settings: AlertSettings = AlertSettings(), past: [CrossingChange] = []) throws {
        feed.replaceAll(past)
        directory = try TemporaryDirectory()
        self.settings = settings
        store = try SQLAlerts(path: directory.file("alerts.db"))
        parts = Self.assemble(
            store, clock.clock, sink, feed, records, vault, counters, settings)
        try parts.feeder.prime()
    }

    private static func assemble(
        _ store: any AlertStore, _ clock: WallClock, _ sink: FakeSink, _ feed: MemoryFeed,
        _ records: MemoryRecords, _ vault: FakeVault, _ counters: AlertCounters,
        _ settings: AlertSettings
    ) -> Parts {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let book = EndpointBook(records: records, clock: clock, logger: logger)
        let facts: FactsLookup = { customer, _, _ in
            CustomerFacts(plan: "pro", owner: customer == "acme" ? "ada" : "bob")
        }
        let feeder = CrossingFeeder(
            crossings: feed.feed, store: store,
            book: book, facts: facts, clock: clock, logger: logger, settings: settings)
        let secrets = EndpointSecrets(store: store, vault: vault)
        let transports: @Sendable (AlertEndpoint.Kind) -> any AlertTransport = { kind in
            switch kind {
            case .webhook: WebhookTransport(http: sink, secrets: secrets, clock: clock)
            case .slack: SlackTransport(http: sink, secrets: secrets, clock: clock)
            case .kafka: TopicTransport(producing: nil)
            }
        }
        let dispatcher = AlertDispatcher(
            .init(
                feeder: feeder, book: book, store: store, transports: transports,
                counters: counters, clock: clock, jitter: { 0 }, logger: logger),
            settings: settings)
        let desk = EndpointDesk(
            .init(
                records: records, store: store, book: book,
                reader: EndpointReader(
                    addressProblem: { sink.problem(with: $0) }, topicProblem: "no Kafka here"),
                secrets: secrets, vault: vault, transports: transports, clock: clock),
            settings: settings)
        return Parts(
            book: book,
            outbox: AlertOutbox(
                store: store, book: book, facts: facts, clock: clock, settings: settings),
            feeder: feeder, dispatcher: dispatcher, desk: desk)
    }

    /// As if the process had been killed and started again.
    /// - Parameter wrap: what the new process has for a store.
    func restart(_ wrap: (SQLAlerts) -> any AlertStore = { $0 }) async throws {
        await parts.dispatcher.stop()
        store.close()
        store = try SQLAlerts(path: directory.file("alerts.db"))
        parts = Self.assemble(
            wrap(store), clock.clock, sink, feed, records, vault, counters, settings)
    }

    // MARK: the desk

    @discardableResult
    func perform(
        _ operation: AlertCommand.Operation, _ json: String = "{}", key: String? = nil,
        dryRun: Bool = false
    ) async throws -> ControlAnswer {
        requestCount += 1
        return try await parts.desk.perform(
            AlertCommand(
                operation: operation, body: try JSONParser.parse(Array(json.utf8)),
                context: CommandContext(
                    principal: .local, requestID: "r\(requestCount)", idempotencyKey: key,
                    isDryRun: dryRun),
                digest: json))
    }

    func read(
        _ subject: AlertQuery.Subject, cursor: String? = nil, limit: Int = 100
    ) async throws -> JSONValue {
        try await parts.desk.read(
            AlertQuery(subject: subject, principal: .local, cursor: cursor, limit: limit)
        ).body
    }

    /// A webhook endpoint; its host is `<id>.example`.
    /// - Returns: its secret.
    @discardableResult
    func webhook(_ id: String, _ more: String = "") async throws -> String {
        let tail = more.isEmpty ? "" : ", " + more
        let answer = try await perform(
            .put(id), "{\"kind\": \"webhook\", \"url\": \"https://\(id).example/in\"\(tail)}")
        return try #require(answer.body["secret"]?.text)
    }

    func state(_ id: String) async throws -> JSONValue {
        try #require(try await read(.endpoint(id))["status"])
    }

    // MARK: time

    /// Takes in what there is and lets every line that is due run to its pause.
    func settle() async throws {
        try await parts.dispatcher.step()
        await parts.dispatcher.idle()
    }

    /// Moves time from event to event until nothing waits any more, or `limit` has passed.
    func run(seconds limit: Int64) async throws {
        let end = clock.now.adding(seconds: limit)
        while true {
            try await settle()
            var next = try store.nextSettling()
            for line in try store.lines() where line.state.disabledSince == nil {
                let due = line.state.nextAttemptAt ?? clock.now.adding(seconds: 1)
                next = min(next ?? due, due)
            }
            guard let next, next <= end else { break }
            clock.move(to: max(next, Timestamp(microseconds: clock.now.microseconds + 1)))
        }
        clock.move(to: end)
        try await settle()
    }
}
