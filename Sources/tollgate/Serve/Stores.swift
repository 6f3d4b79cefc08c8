import Enforcement
import Entitlements
import Foundation
import HTTPAPI
import Logging
import MeteringModel
import MeteringPorts
import SQLBilling
import SQLLedger
import YAMLCatalog

/// What holds data, opened: ledger, catalog, statements, event log, alerts, shared counters.
struct Stores: Sendable {
    var clock: WallClock
    var ledger: SQLLedger
    var control: ControlParts
    var billing: SQLBilling
    var log: EventLogParts
    var alerts: AlertingParts
    var shared: SharedCounterSync?

    static func open(_ configuration: Configuration, logger: Logger) async throws -> Stores {
        let clock = WallClock {
            var now = timespec()
            // SAFETY: `now` outlives the call.
            unsafe clock_gettime(CLOCK_REALTIME, &now)
            return Timestamp(
                microseconds: Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000)
        }
        try DataDirectory.make(configuration.dataDirectory)
        let ledger = try SQLLedger(path: configuration.dataDirectory + "/ledger.db")
        let control = try await ControlParts.open(
            configuration, hash: try InstallationKey.load(configuration.dataDirectory, ledger),
            clock: clock, logger: logger)
        let billing = try BillingParts.open(configuration)
        let log = try await EventLogParts.open(configuration, clock: clock, logger: logger)
        let alerts = try AlertingParts.open(
            configuration, control: control, ledger: ledger, log: log, clock: clock,
            logger: logger)
        let shared = try await openShared(configuration, clock: clock, logger: logger)
        return Stores(
            clock: clock, ledger: ledger, control: control, billing: billing, log: log,
            alerts: alerts, shared: shared)
    }

    private static func openShared(
        _ configuration: Configuration, clock: WallClock, logger: Logger
    ) async throws -> SharedCounterSync? {
        guard let url = configuration.redis else { return nil }
        let store = try await SharedStore.open(url, logger: logger)
        return SharedCounterSync(store: store, clock: clock, logger: logger)
    }
}

enum CatalogFile {
    static func read(_ path: String) throws -> String {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationError("--catalog: cannot read \(path)")
        }
        return text
    }

    /// One `FILE:LINE:COLUMN: message` a problem, as compilers write it.
    static func error(_ path: String, _ found: CatalogProblems) -> ConfigurationError {
        let lines = found.problems.map { problem in
            let place = problem.line > 0 ? "\(path):\(problem.line):\(problem.column)" : path
            return "\(place): \(problem.message)"
        }
        return ConfigurationError(lines.joined(separator: "\n"), exit: .catalog)
    }
}

enum ZoneOffsets {
    static func seconds(_ zone: String, _ at: Timestamp) -> Int {
        if zone == "UTC" { return 0 }
        return (try? ZoneFiles.load(zone))?.offsetSeconds(at: at) ?? 0
    }
}
