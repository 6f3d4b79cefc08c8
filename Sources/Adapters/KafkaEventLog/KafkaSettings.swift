import KafkaClient
import Logging
import MeteringPorts

/// How the adapter talks to one cluster: the driver's defaults, what the user sets on top, and
/// nothing that would break what the adapter promises.
struct KafkaSettings {
    /// Properties that the promises stand on, and why.
    private static let fixedForReaders: [String: (allowed: Set<String>, reason: String)] = [
        "auto.offset.reset": (
            ["error", "none"],
            "jumping to another offset would skip or repeat events without a word"
        ),
        "enable.auto.commit": (["false"], "the ledger keeps the positions"),
        "enable.auto.offset.store": (["false"], "the ledger keeps the positions"),
        "partition.assignment.strategy": (
            ["range", "roundrobin", "range,roundrobin", "roundrobin,range"],
            "cooperative-sticky of librdkafka 2.0.2 loses assignments"
        ),
        "enable.partition.eof": (["false"], "the adapter reads on at the end of a partition"),
    ]
    private static let fixedForWriters: [String: (allowed: Set<String>, reason: String)] = [
        "acks": (
            ["all", "-1"], "an event may be called durable only when every in-sync replica has it"
        ),
        "request.required.acks": (
            ["all", "-1"], "an event may be called durable only when every in-sync replica has it"
        ),
        "enable.idempotence": (["true"], "retries would store events twice and out of order"),
    ]

    static func reader(
        brokers: String, group: String, properties: [String: String]
    ) throws(EventLogError) -> KafkaConfiguration {
        try check(properties, fixedForReaders)
        return KafkaConfiguration.consumerDefaults.overridden(by: properties)
            .overridden(by: ["bootstrap.servers": brokers, "group.id": group])
    }

    static func writer(
        brokers: String, properties: [String: String]
    ) throws(EventLogError) -> KafkaConfiguration {
        try check(properties, fixedForWriters)
        return KafkaConfiguration.producerDefaults.overridden(by: properties)
            .overridden(by: ["bootstrap.servers": brokers])
    }

    private static func check(
        _ properties: [String: String],
        _ fixed: [String: (allowed: Set<String>, reason: String)]
    ) throws(EventLogError) {
        for (name, value) in properties.sorted(by: { $0.key < $1.key }) {
            guard let rule = fixed[name], !rule.allowed.contains(value.lowercased()) else {
                continue
            }
            throw EventLogError(
                code: .misconfigured,
                message: """
                    Kafka property "\(name)" must not be "\(value)": \(rule.reason). \
                    Remove it, or use \(rule.allowed.sorted().joined(separator: " or ")).
                    """)
        }
    }
}

extension Logger {
    /// Takes librdkafka's log lines; they say themselves what they are about.
    func kafkaSink() -> KafkaLogSink {
        { line in
            let level: Logger.Level =
                switch line.severity {
                case ...2: .critical
                case 3: .error
                case 4: .warning
                case 5: .notice
                case 6: .info
                default: .debug
                }
            self.log(level: level, "Kafka \(line.facility): \(line.text)")
        }
    }
}
