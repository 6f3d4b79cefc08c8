import Logging
import MeteringPorts
import RedisClient
import RedisCounterStore

extension Logger {
    /// Logs what a look at a store's settings found, as loudly as the finding is grave.
    func preflight(_ store: String, _ level: String, _ text: String) {
        let loudness: Logger.Level =
            switch level {
            case "error": .error
            case "warning": .warning
            default: .info
            }
        log(level: loudness, "\(store) preflight: \(level): \(text)")
    }
}

/// The shared counters as configured.
enum SharedStore {
    static func open(_ url: String, logger: Logger) async throws -> RedisCounterStore {
        let store = try RedisCounterStore(RedisConnection.Configuration(url: try parse(url)))
        for finding in await store.preflight() {
            logger.preflight("redis", finding.level, finding.text)
        }
        return store
    }

    static func validate(_ url: String) throws { _ = try parse(url) }

    private static func parse(_ url: String) throws(ConfigurationError) -> RedisURL {
        do throws(RedisURLError) {
            return try RedisURL(url)
        } catch {
            throw ConfigurationError("--redis: \(error)")
        }
    }
}
