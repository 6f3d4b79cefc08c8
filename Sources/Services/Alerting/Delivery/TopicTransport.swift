import MeteringModel
import MeteringPorts

/// Messages as records of a topic, one a message.
package struct TopicTransport: AlertTransport {
    /// Nil where there is no Kafka.
    private let producing: (any TopicProducing)?

    package init(producing: (any TopicProducing)?) { self.producing = producing }

    package func send(_ parcel: AlertParcel, to endpoint: AlertEndpoint) async -> AlertVerdict {
        guard let producing else {
            return AlertVerdict(
                .retry(isThrottled: false, afterSeconds: nil),
                detail: "not sent: this server runs without --kafka")
        }
        let records = parcel.members.map { message in
            TopicRecord(
                key: message.customer?.rawValue ?? "", id: message.id,
                value: Array(message.body.utf8))
        }
        do {
            try await producing.produce(records, to: endpoint.topic)
            return AlertVerdict(.delivered, detail: "delivered")
        } catch {
            return AlertVerdict(
                .retry(isThrottled: false, afterSeconds: nil),
                detail: "kafka: \(AnswerReading.printable(Array("\(error)".utf8)))")
        }
    }
}
