import KafkaClient
import MeteringPorts

extension EventLogError {
    /// What a failed call of the client means to the log's users.
    init(_ error: KafkaError, outcome: Outcome = .notAppended) {
        switch error.kind {
        case .unavailable:
            self.init(
                code: .unreachable, message: "The Kafka brokers do not answer. \(error)",
                isRetriable: true, outcome: outcome)
        case .queueFull:
            self.init(
                code: .overloaded, message: "The Kafka send queue is full. \(error)",
                isRetriable: true, outcome: outcome)
        case .tooLarge:
            self.init(
                code: .tooLarge,
                message: """
                    A record is larger than the topic takes; raise its max.message.bytes or send \
                    less. \(error)
                    """, outcome: outcome)
        case .offsetOutOfRange:
            self.init(
                code: .offsetOutOfRange, message: "The log does not hold that offset. \(error)",
                outcome: outcome)
        case .unknownTopic:
            self.init(
                code: .misconfigured,
                message: "Create the topic, or name another one. \(error)", outcome: outcome)
        case .denied:
            self.init(
                code: .misconfigured,
                message: "Check the Kafka credentials and access rights. \(error)",
                outcome: outcome)
        case .invalid:
            self.init(
                code: .misconfigured, message: "Check the Kafka settings. \(error)",
                outcome: outcome)
        case .corrupt:
            self.init(
                code: .corrupt, message: "Records arrived damaged. \(error)", outcome: outcome)
        case .abandoned:
            self.init(
                code: .closed, message: "The Kafka client was closed. \(error)",
                outcome: outcome)
        case .fatal:
            self.init(
                code: .unreachable,
                message: "The Kafka client failed for good and is replaced. \(error)",
                isRetriable: true, outcome: outcome)
        case .other:
            self.init(
                code: .unreachable, message: "Kafka refused. \(error)", isRetriable: true,
                outcome: outcome)
        }
    }
}
