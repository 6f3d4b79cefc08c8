import Logging
import MeteringPorts
import RedisClient
import RedisCounterStore

/// The shared counters as configured.
enum SharedStore {
    static func open(_ url: String, logger: Logger) async throws -> RedisCounterStore {
        let store = try RedisCounterStore(RedisConnection.Configuration(url: try parse(url)))
        for finding in await store.preflight() {
            logger.info("redis preflight: \(finding.level): \(finding.text)")
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
