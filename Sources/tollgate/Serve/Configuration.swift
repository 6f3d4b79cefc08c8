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
    var tlsCertificate: String?
    var tlsKey: String?
    var stripeSecretFile: String?
    /// What outgoing requests may reach beside https on the public internet: `HOST`, `HOST:PORT`,
    /// or a network.
    var outboundAllowed: [String] = []
    var outboundAuthorityFile: String?
    /// Requests per second and caller to the control plane and the reports; nil: the default.
    var rateLimit: Int?
    /// The same for checks, charges and events; nil: unbounded.
    var checkRateLimit: Int?
    var logLevel = "info"
    var dedupeDays: Int64 = 35
    /// How long a period stays open for late events after its end, and a month before it is closed.
    var billingGraceHours: Int64 = 72
    var rollupHoursDays: Int64 = 400
    /// 0: for ever.
    var rollupDaysDays: Int64 = 1_100
    var exports = ExportConfiguration()

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

        /// Whether a listener on one of the two hosts can keep the other from the same port.
        func overlaps(_ other: HostPort) -> Bool {
            let everywhere: Set = ["0.0.0.0", "::"]
            return host == other.host || everywhere.contains(host)
                || everywhere.contains(other.host)
        }

        var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }
}

/// Why `serve` cannot start, for people, and the exit code that says so to programs.
struct ConfigurationError: Error, CustomStringConvertible {
    var description: String
    var exit: ServeExit
    init(_ description: String, exit: ServeExit = .configuration) {
        self.description = description
        self.exit = exit
    }
}

/// How `serve` ends when it does not end well; the numbers are those of sysexits.h.
enum ServeExit: Int32, Sendable {
    case configuration = 64
    case catalog = 65
    /// A port is taken, or Kafka cannot be reached.
    case unavailable = 69
    case other = 70
}

/// The flags of `tollgate serve`; a flag not given leaves the value to the environment or the file.
struct ServeOptions: ParsableArguments {
    @Option(help: "Folder of the embedded stores.") var dataDir: String?
    @Option(help: "Catalog YAML, applied at the start when it is not the document applied last.")
    var catalog: String?
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
    @Option(help: "Certificate chain (PEM) of the API; with --tls-key it speaks https only.")
    var tlsCertificate: String?
    @Option(help: "Private key (PEM) of the certificate.") var tlsKey: String?
    @Option(help: "File with the signing secrets of Stripe's webhook, one a line.")
    var stripeWebhookSecretFile: String?
    @Option(
        name: .customLong("outbound-allow"),
        help: "HOST, HOST:PORT or CIDR that webhooks may go to though it is private; repeatable.")
    var outboundAllowed: [String] = []
    @Option(help: "Authorities (PEM) trusted for outgoing https beside the system's.")
    var outboundCa: String?
    @Option(help: "Control-plane and report requests a second that one caller may make; 200.")
    var rateLimit: Int?
    @Option(help: "Checks, charges and event batches a second that one caller may make; unbounded.")
    var checkRateLimit: Int?
    @Option(help: "trace, debug, info, warning or error.") var logLevel: String?
    @Option(help: "YAML file with the same names as the flags.") var config: String?
    @Option(help: "Days an event id is remembered for.") var dedupeDays: Int64?
    @Option(help: "Hours that months stay open for late events before they are closed; 72.")
    var billingGraceHours: Int64?
    @OptionGroup var rollups: RollupOptions
    @OptionGroup var exports: ExportFlags
    // Accepted only to say that they are planned; hidden, so that help promises nothing.
    @Option(help: ArgumentHelp("Not in this version: gRPC for Envoy.", visibility: .hidden))
    var grpc: String?
    @Option(help: ArgumentHelp("Not in this version: PostgreSQL ledger.", visibility: .hidden))
    var database: String?

    func resolve(environment: [String: String]) throws -> Configuration {
        var file = try ConfigurationFile(path: config ?? environment["TOLLGATE_CONFIG"])
        func value(_ flag: String?, _ name: String) throws -> String? {
            let inFile = try file.take(name)
            let variable = "TOLLGATE_" + name.uppercased().replacing("-", with: "_")
            return flag ?? environment[variable] ?? inFile
        }
        var result = Configuration()
        if try value(grpc, "grpc") != nil {
            throw ConfigurationError("--grpc is not in this version; gateways ask over HTTP")
        }
        if try value(database, "database") != nil {
            throw ConfigurationError(
                "--database is not in this version; the ledger is SQLite in --data-dir")
        }
        result.dataDirectory = try value(dataDir, "data-dir") ?? result.dataDirectory
        result.catalogPath = try value(catalog, "catalog")
        if let text = try value(http, "http") { result.http = try .init(text, "--http") }
        if let text = try value(admin, "admin") { result.admin = try .init(text, "--admin") }
        result.kafka = try value(kafka, "kafka")
        result.topic = try value(topic, "topic") ?? result.topic
        result.group = try value(group, "group") ?? result.group
        result.alertsTopic = try value(alertsTopic, "alerts-topic") ?? result.alertsTopic
        result.redis = try value(redis, "redis")
        result.apiKeysFile = try value(apiKeysFile, "api-keys-file")
        result.tlsCertificate = try value(tlsCertificate, "tls-certificate")
        result.tlsKey = try value(tlsKey, "tls-key")
        result.stripeSecretFile = try value(stripeWebhookSecretFile, "stripe-webhook-secret-file")
        let inOtherPlaces = try value(nil, "outbound-allow") ?? ""
        result.outboundAllowed =
            outboundAllowed.isEmpty
            ? inOtherPlaces.split(separator: ",").map { $0.filter { $0 != " " } }
            : outboundAllowed
        result.outboundAuthorityFile = try value(outboundCa, "outbound-ca")
        func rate(_ flag: Int?, _ name: String) throws -> Int? {
            guard let text = try value(flag.map(String.init), name) else { return nil }
            guard let number = Int(text), (0...1_000_000).contains(number) else {
                throw ConfigurationError(
                    "--\(name) must be 0 (unbounded) to 1000000 a second, not `\(text)`")
            }
            return number
        }
        result.rateLimit = try rate(rateLimit, "rate-limit")
        result.checkRateLimit = try rate(checkRateLimit, "check-rate-limit")
        result.logLevel = try value(logLevel, "log-level") ?? result.logLevel
        if let text = try value(dedupeDays.map(String.init), "dedupe-days") {
            guard let days = Int64(text), (1...400).contains(days) else {
                throw ConfigurationError("--dedupe-days must be 1 to 400, not `\(text)`")
            }
            result.dedupeDays = days
        }
        if let text = try value(billingGraceHours.map(String.init), "billing-grace-hours") {
            guard let hours = Int64(text), (0...2_160).contains(hours) else {
                throw ConfigurationError("--billing-grace-hours must be 0 to 2160, not `\(text)`")
            }
            result.billingGraceHours = hours
        }
        try rollups.resolve(into: &result, value)
        result.exports = try exports.resolve(value)
        result.kafkaProperties = try allKafkaProperties(&file, environment)
        try file.requireEmpty()
        return result
    }

    /// Those of the file, then the environment's, then the flags': the last of a name holds.
    private func allKafkaProperties(
        _ file: inout ConfigurationFile, _ environment: [String: String]
    ) throws -> [String: String] {
        var properties = try file.takeProperties("kafka-properties")
        let fromEnvironment =
            environment["TOLLGATE_KAFKA_PROPERTIES"]
            .map { $0.split(separator: ",").map(String.init) } ?? []
        for text in fromEnvironment + kafkaProperties {
            guard let equals = text.firstIndex(of: "=") else {
                throw ConfigurationError("--kafka-property: `\(text)` is not key=value")
            }
            properties[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return properties
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

    mutating func take(_ name: String) throws -> String? {
        guard let value = values.removeValue(forKey: name) else { return nil }
        return try scalar(value, name)
    }

    private func scalar(_ value: Any, _ name: String) throws -> String {
        if value is [Any] || value is [AnyHashable: Any] || value is NSNull {
            throw ConfigurationError("--config: \(path): \(name) must be one plain value")
        }
        return "\(value)"
    }

    mutating func takeProperties(_ name: String) throws -> [String: String] {
        guard let value = values.removeValue(forKey: name) else { return [:] }
        guard let mapping = value as? [String: Any] else {
            throw ConfigurationError("--config: \(name) must be a mapping")
        }
        var properties: [String: String] = [:]
        for (key, value) in mapping { properties[key] = try scalar(value, "\(name): \(key)") }
        return properties
    }

    func requireEmpty() throws {
        if let name = values.keys.sorted().first {
            throw ConfigurationError("--config: \(path) has an unknown name `\(name)`")
        }
    }
}
