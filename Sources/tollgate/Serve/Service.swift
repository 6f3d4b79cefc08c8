import Alerting
import Enforcement
import Entitlements
import Foundation
import HTTPAPI
import Logging
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import YAMLCatalog

/// The whole service, put together: the only place that knows every part.
final class Service: Sendable {
    private let parts: Parts
    let addresses: String

    /// Everything that runs, in the order in which it is stopped.
    struct Parts: Sendable {
        var ledger: SQLLedger
        var log: EventLogParts
        var pipeline: MeteringPipeline
        var gate: QuotaGate
        var shared: SharedCounterSync?
        var http: HTTPServer
        var operations: OperationsReport
        var background: [Task<Void, Never>]
    }

    private init(parts: Parts, addresses: String) {
        self.parts = parts
        self.addresses = addresses
    }

    static func start(_ configuration: Configuration, logger: Logger) async throws -> Service {
        let clock = WallClock {
            var now = timespec()
            // SAFETY: `now` outlives the call.
            unsafe clock_gettime(CLOCK_REALTIME, &now)
            return Timestamp(
                microseconds: Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000)
        }
        let keys = try APIKeyFile.read(configuration.apiKeysFile)
        try requireLoopback(configuration, keys)
        try FileManager.default.createDirectory(
            atPath: configuration.dataDirectory, withIntermediateDirectories: true)
        let ledger = try SQLLedger(path: configuration.dataDirectory + "/ledger.db")
        let hash = try installationKey(ledger)
        let instance = String(UInt64.random(in: .min ... .max), radix: 16)
        let catalog = try CatalogManager(
            ledger: ledger, hash: hash, clock: clock, logger: logger)
        if let path = configuration.catalogPath {
            _ = try await catalog.apply(CatalogFile.read(path), dryRun: false)
        }
        let log = try await EventLogParts.open(configuration, clock: clock, logger: logger)
        let shared = try await openShared(configuration, clock: clock, logger: logger)
        var settings = MeteringSettings()
        settings.dedupeWindowSeconds = configuration.dedupeDays * 86_400
        settings.maximumAgeSeconds = configuration.dedupeDays * 86_400
        let board = CounterBoard(
            catalog: catalog.current, queries: ledger,
            minimumCapacity: catalog.current.load().quotas.count)
        let index = NearLimitIndex()
        let tracker = UsageTracker(
            board: board, index: index, shared: shared, queries: ledger, clock: clock)
        let counters = MeteringCounters()
        // SAFETY: the reader goes to the pipeline's thread here and is used nowhere else.
        let pipeline = unsafe MeteringPipeline(
            reader: log.reader, ledger: ledger, queries: ledger, catalog: catalog.current,
            observer: tracker, settings: settings, counters: counters, instance: instance,
            clock: clock, logger: logger)
        let gate = QuotaGate(
            board: board, book: IdempotencyBook(), writer: log.writer, queries: ledger,
            shared: shared, clock: clock, instance: instance, logger: logger,
            completeTo: { pipeline.completeTo })
        let recorder = EventRecorder(
            writer: log.writer, queries: ledger, control: ledger, catalog: catalog.current,
            settings: settings, clock: clock)
        let reports = UsageReports(
            queries: ledger, catalog: catalog.current,
            reconciler: Reconciler(
                pipeline: pipeline, replay: log.replay, queries: ledger, catalog: catalog.current,
                settings: settings, shared: shared?.store, logger: logger,
                counterReading: { gate.settledUsage(customer: $0, feature: $1, period: $2) }),
            clock: clock,
            nearLimit: { over, limit, cursor throws(QueryError) in
                try index.page(
                    overBasisPoints: over, limit: limit, cursor: cursor, now: clock.now())
            },
            completeTo: { pipeline.completeTo })
        let operations = OperationsReport(
            pipeline: pipeline, counters: counters, gate: gate, shared: shared, index: index,
            catalog: catalog.current, clock: clock, preflight: log.preflight)
        var options = HTTPOptions(
            clock: clock,
            offsetSeconds: { zone, at in ZoneOffsets.seconds(zone, at) })
        options.apiKeys = keys
        let http = HTTPServer(
            services: HTTPServices(
                gate: gate, ingest: recorder, reporting: reports, catalog: catalog,
                operations: operations, logger: logger), options: options)

        let admin = try await http.startAdmin(
            host: configuration.admin.host, port: configuration.admin.port)
        pipeline.start()
        try await catchUp(pipeline, configuration, logger)
        board.restoreHolds(try ledger.openReservations())
        gate.book.restore(try ledger.admissions(since: clock.now().adding(seconds: -86_400)))
        tracker.refillIndex()
        onCatalogChange(catalog, pipeline, board, tracker, recorder, ledger, clock, logger)
        let api = try await http.start(
            host: configuration.http.host, port: configuration.http.port)
        operations.setServing(true)
        let background = BackgroundWork.start(
            gate: gate, shared: shared, recorder: recorder, control: ledger, log: log,
            alertsTopic: configuration.alertsTopic, logger: logger)
        let addresses =
            "http=\(Configuration.HostPort(host: api.host, port: api.port)) "
            + "admin=\(Configuration.HostPort(host: admin.host, port: admin.port))"
        return Service(
            parts: Parts(
                ledger: ledger, log: log, pipeline: pipeline, gate: gate, shared: shared,
                http: http, operations: operations, background: background),
            addresses: addresses)
    }

    /// Not ready at once; then questions under way are answered, and what they wrote is committed.
    func drain() async {
        parts.operations.setServing(false)
        await parts.http.drain(timeout: .seconds(10))
        for task in parts.background { task.cancel() }
        await parts.gate.drain()
        await parts.log.writer.close()
        await parts.pipeline.stop()
        await parts.shared?.close()
        await parts.log.close()
        parts.ledger.close()
    }

    // MARK: parts of the start

    private static func requireLoopback(_ configuration: Configuration, _ keys: [APIKey]) throws {
        if keys.isEmpty, !configuration.http.isLoopback {
            throw ConfigurationError(
                "--http \(configuration.http) is not a loopback address, and there is no API key: "
                    + "name a file of keys with --api-keys-file, or listen on 127.0.0.1")
        }
    }

    private static func installationKey(_ ledger: SQLLedger) throws -> KeyHash {
        let bytes = try ledger.installationSecret("key_hash") {
            (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        }
        func word(_ start: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64($1 * 8) }
        }
        guard bytes.count == 16 else {
            throw ConfigurationError("the ledger's key_hash is damaged; restore it from a backup")
        }
        return KeyHash(k0: word(0), k1: word(8))
    }

    /// Everything that was in the log when this process started is in the ledger before the first
    /// answer, so that no cap is re-opened by a restart.
    private static func catchUp(
        _ pipeline: MeteringPipeline, _ configuration: Configuration, _ logger: Logger
    ) async throws {
        var waited = 0
        while !pipeline.hasCaughtUp {
            try await Task.sleep(for: .milliseconds(20))
            waited += 20
            if waited % 10_000 == 0 {
                logger.info(
                    "catching up with the event log",
                    metadata: [
                        "lag": "\(pipeline.lag)", "trouble": "\(pipeline.trouble ?? "none")",
                    ])
            }
            if configuration.kafka != nil, waited >= 60_000, pipeline.positions.isEmpty {
                // Another member may own every partition; serve with what the ledger knows.
                logger.warning("no partition was assigned to this process; serving all the same")
                return
            }
        }
    }

    private static func onCatalogChange(
        _ catalog: CatalogManager, _ pipeline: MeteringPipeline, _ board: CounterBoard,
        _ tracker: UsageTracker, _ recorder: EventRecorder, _ ledger: SQLLedger,
        _ clock: WallClock, _ logger: Logger
    ) {
        catalog.onApply { next in
            let problem: String? = await pipeline.betweenCommits {
                let old = catalog.current.load()
                catalog.current.replace(next)
                board.adopt(old, next)
                tracker.refillIndex()
                do {
                    try CrossingResolution.resolve(next, ledger: ledger, now: clock.now())
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            if let problem { logger.warning("crossings were not resolved: \(problem)") }
            do {
                let count = try await recorder.redrive(kind: .quarantine, limit: 1_000_000)
                if count > 0 { logger.info("\(count) quarantined events have a customer now") }
            } catch {
                logger.warning("quarantine waits: \(error)")
            }
        }
    }

    private static func openShared(
        _ configuration: Configuration, clock: WallClock, logger: Logger
    ) async throws -> SharedCounterSync? {
        guard let url = configuration.redis else { return nil }
        let store = try await SharedStore.open(url, logger: logger)
        return SharedCounterSync(store: store, clock: clock, logger: logger)
    }
}

/// API keys, one a line; blank lines and lines that start with # are skipped.
enum APIKeyFile {
    static func read(_ path: String?) throws -> [APIKey] {
        guard let path else { return [] }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationError("--api-keys-file: cannot read \(path)")
        }
        let keys = text.split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
        if keys.contains(where: { $0.utf8.count < 20 }) {
            throw ConfigurationError("--api-keys-file: a key must have 20 characters or more")
        }
        if keys.isEmpty { throw ConfigurationError("--api-keys-file: \(path) holds no key") }
        return keys.map { APIKey(secret: $0) }
    }
}

enum CatalogFile {
    static func read(_ path: String) throws -> String {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationError("--catalog: cannot read \(path)")
        }
        return text
    }
}

enum ZoneOffsets {
    static func seconds(_ zone: String, _ at: Timestamp) -> Int {
        if zone == "UTC" { return 0 }
        return (try? ZoneFiles.load(zone))?.offsetSeconds(at: at) ?? 0
    }
}
