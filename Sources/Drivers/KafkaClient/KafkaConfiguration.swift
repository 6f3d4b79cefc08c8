/// Properties for one librdkafka handle, by the names of librdkafka's CONFIGURATION.md.
///
/// Nothing is checked before a handle is made from it. Printing it never shows a secret.
package struct KafkaConfiguration: Sendable, Hashable, CustomStringConvertible {
    package var properties: [String: String]

    package init(_ properties: [String: String] = [:]) { self.properties = properties }

    /// A copy in which `other` wins.
    package func overridden(by other: [String: String]) -> KafkaConfiguration {
        KafkaConfiguration(properties.merging(other) { _, new in new })
    }

    package subscript(name: String) -> String? {
        get { properties[name] }
        set { properties[name] = newValue }
    }

    /// True for properties whose value must not reach a log, an error or a page.
    package static func isSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return secretMarks.contains { name.contains($0) }
    }

    private static let secretMarks = [
        "password", "secret", "ssl.key.pem", "ssl_key", "oauthbearer.config", "token", "sasl.jaas",
    ]

    package var description: String {
        properties.sorted { $0.key < $1.key }.map { name, value in
            "\(name)=\(Self.isSecret(name) ? "<hidden>" : value)"
        }.joined(separator: " ")
    }
}

extension KafkaConfiguration {
    /// For a consumer whose owner keeps the positions itself.
    ///
    /// Assignors are the eager ones: cooperative-sticky of librdkafka 2.0.2 loses assignments and
    /// spins. An offset outside the log is an error and never a silent jump. The queue bounds hold
    /// more than a second of records, because a full queue makes 2.0.2 pause fetching for one.
    package static let consumerDefaults = KafkaConfiguration([
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "range,roundrobin",
        "isolation.level": "read_committed",
        "check.crcs": "true",
        "queued.min.messages": "500000",
        "queued.max.messages.kbytes": "262144",
        "message.max.bytes": "16777216",
        "max.partition.fetch.bytes": "4194304",
        "receive.message.max.bytes": "134217728",
        "topic.metadata.refresh.interval.ms": "60000",
    ]).overridden(by: connectionDefaults)

    /// For a producer that answers for what it acknowledged.
    package static let producerDefaults = KafkaConfiguration([
        "enable.idempotence": "true",
        "acks": "all",
        "partitioner": "murmur2_random",
        "delivery.timeout.ms": "10000",
        "linger.ms": "5",
        "compression.type": "lz4",
        "message.max.bytes": "16777216",
        "queue.buffering.max.messages": "200000",
        "queue.buffering.max.kbytes": "131072",
    ]).overridden(by: connectionDefaults)

    private static let connectionDefaults = [
        "client.id": "tollgate",
        "socket.nagle.disable": "true",
        "socket.keepalive.enable": "true",
        "log.connection.close": "false",
        "reconnect.backoff.max.ms": "2000",
    ]
}
