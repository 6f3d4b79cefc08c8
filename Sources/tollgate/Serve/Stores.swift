import Enforcement
import Entitlements
import Foundation
import HTTPAPI
import Logging
import MeteringModel
import MeteringPorts
import SQLLedger
import YAMLCatalog

/// What holds data, opened: ledger, catalog, event log, shared counters.
struct Stores: Sendable {
    var clock: WallClock
    var keys: [APIKey]
    var ledger: SQLLedger
    var catalog: CatalogManager
    var log: EventLogParts
    var shared: SharedCounterSync?

    static func open(_ configuration: Configuration, logger: Logger) async throws -> Stores {
        let clock = WallClock {
            var now = timespec()
            // SAFETY: `now` outlives the call.
            unsafe clock_gettime(CLOCK_REALTIME, &now)
            return Timestamp(
                microseconds: Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000)
        }
        let keys = try APIKeyFile.read(configuration.apiKeysFile)
        try DataDirectory.make(configuration.dataDirectory)
        let ledger = try SQLLedger(path: configuration.dataDirectory + "/ledger.db")
        let catalog = try CatalogManager(
            ledger: ledger, hash: try InstallationKey.load(configuration.dataDirectory, ledger),
            clock: clock, logger: logger)
        if let path = configuration.catalogPath {
            try await CatalogFile.apply(path, to: catalog)
        }
        let log = try await EventLogParts.open(configuration, clock: clock, logger: logger)
        let shared = try await openShared(configuration, clock: clock, logger: logger)
        return Stores(
            clock: clock, keys: keys, ledger: ledger, catalog: catalog, log: log, shared: shared)
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

    static func apply(_ path: String, to catalog: CatalogManager) async throws {
        let yaml = try read(path)
        do throws(CatalogProblems) {
            _ = try await catalog.apply(yaml, dryRun: false)
        } catch {
            throw Self.error(path, error)
        }
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
