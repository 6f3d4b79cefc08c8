import KafkaClient
import MeteringPorts
import Synchronization

/// Batches whose delivery reports are still to come, and the bound on how much may be under way.
///
/// A record's number is its batch's number and its index in it, so that a report finds its batch
/// without an object per record.
final class InFlightAppends: Sendable {
    /// Everything about a batch is told once, when its last report is in.
    typealias Completion = @Sendable (Result<[LogPosition], EventLogError>) -> Void

    private struct Batch {
        var positions: [LogPosition]
        var missingCount: Int
        var byteCount: Int
        var failure: KafkaErrorCode?
        /// True while no record of the batch can be in the log.
        var isSurelyAbsent = true
        var completion: Completion
    }

    private struct State {
        var batches: [UInt64: Batch] = [:]
        var lastNumber: UInt64 = 0
        var recordCount = 0
        var byteCount = 0
    }

    private let state = Mutex(State())
    private let recordsMax: Int
    private let bytesMax: Int

    private static let indexBits: UInt64 = 20
    static let batchRecordsMax = 1 << 20

    init(recordsMax: Int, bytesMax: Int) {
        self.recordsMax = recordsMax
        self.bytesMax = bytesMax
    }

    /// Makes room for a batch before any of it is sent: all of it is taken, or nothing.
    /// - Returns: the number for its first record; the others follow.
    func begin(
        recordCount: Int, byteCount: Int, completion: @escaping Completion
    ) -> Result<UInt64, EventLogError> {
        guard recordCount <= min(recordsMax, Self.batchRecordsMax - 1), byteCount <= bytesMax
        else {
            return .failure(
                EventLogError(
                    code: .tooLarge,
                    message: """
                        A batch of \(recordCount) records and \(byteCount) bytes is more than \
                        may ever be under way (\(recordsMax) and \(bytesMax)); send it in parts.
                        """))
        }
        return state.withLock { state in
            guard state.recordCount + recordCount <= recordsMax,
                state.byteCount + byteCount <= bytesMax
            else {
                return .failure(
                    EventLogError(
                        code: .overloaded,
                        message: """
                            \(state.recordCount) records with \(state.byteCount) bytes await \
                            Kafka's acknowledgement, which leaves no room; try again shortly.
                            """, isRetriable: true))
            }
            state.recordCount += recordCount
            state.byteCount += byteCount
            state.lastNumber += 1
            state.batches[state.lastNumber] = Batch(
                positions: Array(
                    repeating: LogPosition(partition: -1, offset: -1), count: recordCount),
                missingCount: recordCount, byteCount: byteCount, completion: completion)
            return .success(state.lastNumber << Self.indexBits)
        }
    }

    /// Takes in the report on one record.
    func settle(_ delivery: KafkaDelivery) {
        settle(delivery.id) { batch, index in
            batch.positions[index] = LogPosition(
                partition: delivery.partition, offset: delivery.offset)
            if let error = delivery.error { batch.failure = batch.failure ?? error }
            if delivery.persistence != .notPersisted { batch.isSurelyAbsent = false }
        }
    }

    /// Notes that a record was not even sent.
    func settleUnsent(_ id: UInt64, _ error: KafkaError) {
        settle(id) { batch, _ in batch.failure = batch.failure ?? error.code }
    }

    private func settle(_ id: UInt64, _ change: (inout Batch, Int) -> Void) {
        let number = id >> Self.indexBits
        let index = Int(id & (1 << Self.indexBits - 1))
        let done = state.withLock { state -> Batch? in
            guard let place = state.batches.index(forKey: number) else { return nil }
            change(&state.batches.values[place], index)
            state.batches.values[place].missingCount -= 1
            guard state.batches.values[place].missingCount == 0 else { return nil }
            let batch = state.batches.remove(at: place).value
            state.recordCount -= batch.positions.count
            state.byteCount -= batch.byteCount
            return batch
        }
        guard let done else { return }
        guard let failure = done.failure else { return done.completion(.success(done.positions)) }
        done.completion(
            .failure(
                EventLogError(
                    KafkaError(code: failure, attempt: "append \(done.positions.count) records"),
                    outcome: done.isSurelyAbsent ? .notAppended : .unknown)))
    }
}
