import Logging
import MeteringPorts

enum SharedStore {
    static func open(_ url: String, logger: Logger) async throws -> any SharedCounters {
        throw ConfigurationError("--redis is being built")
    }
    static func validate(_ url: String) throws {}
}
