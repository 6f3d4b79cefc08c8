import KafkaClient
import MeteringPorts

/// Where to read a partition from, given what its owner remembers and what the broker has.
enum StartOffset: Equatable {
    case read(from: Int64)
    /// Retention deleted `missing` records that were never counted.
    case gap(missing: Int64)
    /// The log ends before the remembered position: truncated, or another topic of this name.
    case beyondEnd(by: Int64)

    /// - Parameter wanted: the remembered position; 0 or less when there is none yet, which means
    ///   the oldest record there is.
    init(wanted: Int64, bounds: KafkaWatermarks) {
        self =
            if wanted <= 0 {
                .read(from: bounds.low)
            } else if wanted < bounds.low {
                .gap(missing: bounds.low - wanted)
            } else if wanted > bounds.high {
                .beyondEnd(by: wanted - bounds.high)
            } else {
                .read(from: wanted)
            }
    }

    /// What to tell people; nil when all is well.
    func problem(
        topic: String, partition: Int32, wanted: Int64, bounds: KafkaWatermarks
    ) -> EventLogError? {
        let place = "Partition \(partition) of topic \"\(topic)\""
        switch self {
        case .read:
            return nil
        case .gap(let missing):
            return EventLogError(
                code: .offsetOutOfRange,
                message: """
                    \(place) is not read: the stored position is offset \(wanted), but the log \
                    begins at \(bounds.low); retention deleted \(missing) records before they \
                    were counted. Recover them from elsewhere, or accept the loss by moving the \
                    stored position to \(bounds.low); then restart. Lengthen the topic's \
                    retention.ms so that it outlasts an outage.
                    """)
        case .beyondEnd(let distance):
            return EventLogError(
                code: .offsetOutOfRange,
                message: """
                    \(place) is not read: the stored position is offset \(wanted), but the log \
                    ends at \(bounds.high), \(distance) before it; the topic was truncated or \
                    created anew. Find out which: if it is a new topic, use a new topic name or \
                    set the stored position to \(bounds.low), else to \(bounds.high); then \
                    restart.
                    """)
        }
    }
}
