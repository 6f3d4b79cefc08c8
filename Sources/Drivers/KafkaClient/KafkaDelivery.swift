import CLibrdkafka

/// What became of one record given to a producer.
package struct KafkaDelivery: Sendable {
    package enum Persistence: Sendable {
        case notPersisted, possiblyPersisted, persisted
    }
    /// As given to `KafkaSender.send`.
    package var id: UInt64
    package var partition: Int32
    /// Valid when `error` is nil.
    package var offset: Int64
    package var error: KafkaErrorCode?
    package var persistence: Persistence

    init(_ message: UnsafePointer<rd_kafka_message_t>) {
        // SAFETY: the message is valid for the delivery callback; `_private` holds the number
        // that was put there and is never read as a pointer.
        id = unsafe UInt64(UInt(bitPattern: message.pointee._private))
        partition = unsafe message.pointee.partition
        offset = unsafe message.pointee.offset
        let code = unsafe message.pointee.err
        error = code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaErrorCode(code)
        switch unsafe rd_kafka_message_status(message) {
        case RD_KAFKA_MSG_STATUS_PERSISTED: persistence = .persisted
        case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED: persistence = .possiblyPersisted
        default: persistence = .notPersisted
        }
    }
}
