import ArgumentParser
import Foundation
import Yams

/// What `tollgate serve` was told, each value from the first of: flag, `TOLLGATE_*`, `--config`
/// file, default.
struct Configuration: Sendable {
    var dataDirectory = "./tollgate-data"
    var catalogPath: String?
    var http = HostPort(host: "127.0.0.1", port: 8080)
    var admin = HostPort(host: "127.0.0.1", port: 9464)
    var kafka: String?
    var topic = "usage-events"
    var group = "tollgate"
    var alertsTopic = "usage-alerts"
    var kafkaProperties: [String: String] = [:]
    var redis: String?
    var apiKeysFile: String?
    var logLevel = "info"
    var dedupeDays: Int64 = 35

    struct HostPort: Sendable, Hashable, CustomStringConvertible {
        var host: String
        var port: Int

        init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// `host:port`, `:port` (every address) or `[v6]:port`.
        init(_ text: String, _ name: String) throws(ConfigurationError) {
            guard let colon = text.lastIndex(of: ":"),
                let port = Int(text[text.index(after: colon)...]),
                (0...65_535).contains(port)
            else {
                throw ConfigurationError("\(name): `\(text)` is not host:port, e.g. 127.0.0.1:8080")
            }
            var host = String(text[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = String(host.dropFirst().dropLast())
            }
            self.host = host.isEmpty ? "0.0.0.0" : host
            self.port = port
        }

        var isLoopback: Bool {
            host == "localhost" || host == "::1" || host.hasPrefix("127.")
        }

        var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }
}

struct ConfigurationError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// The flags of `tollgate serve`; a flag not given leaves the value to the environment or the file.
struct ServeOptions: ParsableArguments {
    @Option(help: "Folder of the embedded stores.") var dataDir: String?
    @Option(help: "Catalog YAML, applied at start.") var catalog: String?
    @Option(help: "Address of the API; port 0 picks a free one.") var http: String?
    @Option(help: "Address of /metrics, /healthz and /readyz.") var admin: String?
    @Option(help: "Kafka bootstrap servers; without it the embedded journal is the event log.")
    var kafka: String?
    @Option(help: "Topic of usage events.") var topic: String?
    @Option(help: "Consumer group.") var group: String?
    @Option(help: "Topic that threshold crossings are produced to (with --kafka).")
    var alertsTopic: String?
    @Option(name: .customLong("kafka-property"), help: "Any librdkafka property, k=v; repeatable.")
    var kafkaProperties: [String] = []
    @Option(help: "Redis for shared counters, redis://host:port/db.") var redis: String?
    @Option(help: "File with one API key a line; without it only loopback is served.")
    var apiKeysFile: String?
    @Option(help: "trace, debug, info, warning or error.") var logLevel: String?
    @Option(help: "YAML file with the same names as the flags.") var config: String?
    @Option(help: "Days an event id is remembered for.") var dedupeDays: Int64?
    @Option(help: "Not in this version: gRPC for Envoy.") var grpc: String?
    @Option(help: "Not in this version: PostgreSQL ledger.") var database: String?

    func resolve(environment: [String: String]) throws -> Configuration {
        var file = try ConfigurationFile(path: config ?? environment["TOLLGATE_CONFIG"])
        func value(_ flag: String?, _ name: String) -> String? {
            let inFile = file.take(name)
            let variable = "TOLLGATE_" + name.uppercased().replacing("-", with: "_")
            return flag ?? environment[variable] ?? inFile
        }
        var result = Configuration()
        if value(grpc, "grpc") != nil {
            throw ConfigurationError("--grpc is not in this version; gateways ask over HTTP")
        }
        if value(database, "database") != nil {
            throw ConfigurationError(
                "--database is not in this version; the ledger is SQLite in --data-dir")
        }
        result.dataDirectory = value(dataDir, "data-dir") ?? result.dataDirectory
        result.catalogPath = value(catalog, "catalog")
        if let text = value(http, "http") { result.http = try .init(text, "--http") }
        if let text = value(admin, "admin") { result.admin = try .init(text, "--admin") }
        result.kafka = value(kafka, "kafka")
        result.topic = value(topic, "topic") ?? result.topic
        result.group = value(group, "group") ?? result.group
        result.alertsTopic = value(alertsTopic, "alerts-topic") ?? result.alertsTopic
        result.redis = value(redis, "redis")
        result.apiKeysFile = value(apiKeysFile, "api-keys-file")
        result.logLevel = value(logLevel, "log-level") ?? result.logLevel
        if let text = value(dedupeDays.map(String.init), "dedupe-days") {
            guard let days = Int64(text), (1...400).contains(days) else {
                throw ConfigurationError("--dedupe-days must be 1 to 400, not `\(text)`")
            }
            result.dedupeDays = days
        }
        result.kafkaProperties = try file.takeProperties("kafka-properties")
        let fromEnvironment =
            environment["TOLLGATE_KAFKA_PROPERTIES"]
            .map { $0.split(separator: ",").map(String.init) } ?? []
        for text in fromEnvironment + kafkaProperties {
            guard let equals = text.firstIndex(of: "=") else {
                throw ConfigurationError("--kafka-property: `\(text)` is not key=value")
            }
            result.kafkaProperties[String(text[..<equals])] =
                String(text[text.index(after: equals)...])
        }
        try file.requireEmpty()
        return result
    }
}

/// A flat YAML mapping; names not taken are an error, so that a typing mistake is seen.
struct ConfigurationFile {
    private var values: [String: Any] = [:]
    private let path: String

    init(path: String?) throws {
        self.path = path ?? ""
        guard let path else { return }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationError("--config: cannot read \(path)")
        }
        let loaded: Any?
        do {
            loaded = try Yams.load(yaml: text)
        } catch {
            throw ConfigurationError("--config: \(path) is not YAML: \(error)")
        }
        if loaded == nil { return }
        guard let mapping = loaded as? [String: Any] else {
            throw ConfigurationError("--config: \(path) must be a mapping of names to values")
        }
        values = mapping
    }

    mutating func take(_ name: String) -> String? {
        guard let value = values.removeValue(forKey: name) else { return nil }
        return "\(value)"
    }

    mutating func takeProperties(_ name: String) throws -> [String: String] {
        guard let value = values.removeValue(forKey: name) else { return [:] }
        guard let mapping = value as? [String: Any] else {
            throw ConfigurationError("--config: \(name) must be a mapping")
        }
        return mapping.mapValues { "\($0)" }
    }

    func requireEmpty() throws {
        if let name = values.keys.sorted().first {
            throw ConfigurationError("--config: \(path) has an unknown name `\(name)`")
        }
    }
}
