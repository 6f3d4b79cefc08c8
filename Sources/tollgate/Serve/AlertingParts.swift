import AlertKeys
import Alerting
import Entitlements
import Logging
import MeteringModel
import MeteringPorts
import OutboundHTTP
import Provisioning
import SQLAlerts
import SQLLedger

/// Alerting, put together: its store and keys, the way out, the desk that the edge asks.
struct AlertingParts: Sendable {
    let store: SQLAlerts
    let sender: HTTPSender
    let outbox: AlertOutbox
    let desk: EndpointDesk
    let counters: AlertCounters
    private let dispatcher: AlertDispatcher
    /// The topic of `--alerts-topic`; nil without Kafka.
    private let topicFeed: TopicFeed?
    private let topics: KafkaTopics?

    static func open(
        _ configuration: Configuration, control: ControlParts, ledger: SQLLedger,
        log: EventLogParts, clock: WallClock, logger: Logger
    ) throws -> AlertingParts {
        let directory = configuration.dataDirectory
        let vault: AlertKeyFiles
        do throws(KeyFileError) {
            vault = try AlertKeyFiles(directory: directory + "/alert-keys")
        } catch {
            throw ConfigurationError("alert keys: \(error)")
        }
        let store = try SQLAlerts(path: directory + "/alerts.db")
        let sender = try makeSender(configuration)
        let topics = configuration.kafka.map {
            KafkaTopics(
                brokers: $0, properties: configuration.kafkaProperties, first: log.alerts,
                logger: logger)
        }
        let book = EndpointBook(records: control.engine, clock: clock, logger: logger)
        let facts = facts(control)
        let crossings = try feed(of: ledger)
        let feeder = CrossingFeeder(
            crossings: crossings, store: store, book: book, facts: facts, clock: clock,
            logger: logger)
        try feeder.prime()
        let secrets = EndpointSecrets(store: store, vault: vault)
        let transports: @Sendable (AlertEndpoint.Kind) -> any AlertTransport = { kind in
            switch kind {
            case .webhook: WebhookTransport(http: sender, secrets: secrets, clock: clock)
            case .slack: SlackTransport(http: sender, secrets: secrets, clock: clock)
            case .kafka: TopicTransport(producing: topics)
            }
        }
        let counters = AlertCounters()
        return AlertingParts(
            store: store, sender: sender,
            outbox: AlertOutbox(store: store, book: book, facts: facts, clock: clock),
            desk: EndpointDesk(
                .init(
                    records: control.engine, store: store, book: book,
                    reader: EndpointReader(
                        addressProblem: { sender.problem(with: $0) },
                        topicProblem: configuration.kafka == nil
                            ? "a kafka endpoint needs a server that runs with --kafka" : nil),
                    secrets: secrets, vault: vault, transports: transports, clock: clock)),
            counters: counters,
            dispatcher: AlertDispatcher(
                .init(
                    feeder: feeder, book: book, store: store, transports: transports,
                    counters: counters, clock: clock, logger: logger)),
            topicFeed: topics.map {
                TopicFeed(
                    topic: configuration.alertsTopic, producing: $0, crossings: crossings,
                    marked: MarkedCrossings(
                        undelivered: { (limit) throws(LedgerError) in
                            try ledger.undeliveredCrossings(limit: limit)
                        },
                        markDelivered: { (sequences) throws(LedgerError) in
                            try ledger.markDelivered(sequences)
                        }),
                    store: store, clock: clock, logger: logger)
            },
            topics: topics)
    }

    private static func feed(of ledger: SQLLedger) throws(LedgerError) -> CrossingFeed {
        let incarnation = try ledger.installationSecret("crossing_feed") {
            (0..<8).map { _ in UInt8.random(in: .min ... .max) }
        }
        return CrossingFeed(
            incarnation: incarnation.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(),
            page: { (after, limit) throws(LedgerError) in
                try ledger.crossingChanges(after: after, limit: limit)
            })
    }

    private static func makeSender(_ configuration: Configuration) throws -> HTTPSender {
        var options = HTTPSender.Options()
        options.rules = AddressRules(allowing: try allowances(configuration))
        options.authorityFile = configuration.outboundAuthorityFile
        do throws(OutboundFailure) {
            return try HTTPSender(options)
        } catch {
            throw ConfigurationError("--outbound-ca: \(error.message)")
        }
    }

    static func checkAuthorities(_ configuration: Configuration) throws {
        guard let path = configuration.outboundAuthorityFile else { return }
        do throws(OutboundFailure) {
            try HTTPSender.checkAuthorities(path)
        } catch {
            throw ConfigurationError("--outbound-ca: \(error.message)")
        }
    }

    static func allowances(_ configuration: Configuration) throws -> [AddressRules.Allowance] {
        try configuration.outboundAllowed.map { text in
            do throws(AddressProblem) {
                return try AddressRules.Allowance(text)
            } catch {
                throw ConfigurationError("--outbound-allow: \(error)")
            }
        }
    }

    /// The plan that holds at the instant, and the owner that the profile names now.
    private static func facts(_ control: ControlParts) -> FactsLookup {
        let (engine, current) = (control.engine, control.engine.current)
        return { customer, _, at in
            let snapshot = current.load()
            let plan = snapshot.customerIndex(customer).flatMap {
                snapshot.customer($0).segment(at: at).plan
            }
            // A twin (`acme#sandbox`) is its customer's owner's too.
            let own = customer.rawValue.prefix { $0 != "#" }
            let profile = try? engine.history(.customer, String(own))
            return CustomerFacts(plan: plan, owner: profile?.latest?["owner"]?.text)
        }
    }

    /// The tasks that carry alerts; they end when they are cancelled.
    func start() -> [Task<Void, Never>] {
        var tasks = [Task { [dispatcher] in await dispatcher.run() }]
        if let topicFeed { tasks.append(Task { await topicFeed.run() }) }
        return tasks
    }

    /// Gives requests under way up (they are made again after the next start).
    func close() async {
        await dispatcher.stop()
        await topics?.close()
        await sender.close()
        store.close()
    }
}

extension AlertingParts {
    func metrics(_ text: inout MetricsText, now: Timestamp) {
        for result in AlertCounters.Result.allCases {
            text.counter(
                "tollgate_webhook_deliveries_total",
                "Requests to alert endpoints, by what came of them.",
                [("result", result.rawValue)], Int64(counters.value(result)))
        }
        guard let statistics = try? store.statistics() else { return }
        text.gauge(
            "tollgate_webhook_waiting", "Alert deliveries that wait.", [],
            Double(statistics.waitingCount))
        let age = statistics.oldestQueuedAt.map { now.microseconds(since: $0) } ?? 0
        text.gauge(
            "tollgate_webhook_oldest_seconds", "Age of the oldest alert delivery that waits.", [],
            Double(max(0, age)) / 1e6)
        text.gauge(
            "tollgate_webhook_endpoints_disabled",
            "Alert endpoints that wait for somebody to enable them.", [],
            Double(statistics.disabledEndpointCount))
    }
}
