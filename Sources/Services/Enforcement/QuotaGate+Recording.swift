import Logging
import MeteringModel
import MeteringPorts

extension QuotaGate {
    /// Records that may be repeated at the same time; more are left to the next start, which reads
    /// the log.
    static let repeatedRecordsMax = 10_000

    /// Appends a record and waits until the log has it.
    ///
    /// When nobody can say whether it is there (an acknowledgement was lost), it is appended again
    /// in the background until it is: its identity makes it count once. What it says then stands,
    /// so that its units are neither free again nor charged twice.
    /// - Parameter whenRecorded: runs once, after an error of unknown outcome, when the log has it.
    func record(
        _ append: LogAppend, whenRecorded: @escaping @Sendable () -> Void = {}
    ) async throws(EventLogError) {
        do throws(EventLogError) {
            _ = try await writer.append([append])
        } catch {
            if error.outcome == .unknown { repeatUntilRecorded(append, whenRecorded) }
            throw error
        }
    }

    private func repeatUntilRecorded(
        _ append: LogAppend, _ whenRecorded: @escaping @Sendable () -> Void
    ) {
        guard statistics.beginRepeating(limit: Self.repeatedRecordsMax) else { return }
        Task {
            defer { statistics.endRepeating() }
            while true {
                try? await Task.sleep(for: .milliseconds(500))
                do throws(EventLogError) {
                    _ = try await writer.append([append])
                    return whenRecorded()
                } catch {
                    if error.code == .closed { return }
                }
            }
        }
    }

    /// Durability `fast`: nobody waits for the log, except `drain`.
    func recordLater(_ append: LogAppend, undo: @escaping @Sendable () -> Void = {}) {
        let writer = writer
        let statistics = statistics
        statistics.beginRecordingLater()
        Task {
            defer { statistics.endRecordingLater() }
            do throws(EventLogError) {
                _ = try await writer.append([append])
            } catch {
                statistics.lostRecord()
                // What is certainly not recorded is not charged either: gate and bill agree.
                if error.outcome == .notAppended { undo() }
            }
        }
    }

    /// Waits until what was answered without waiting for the log has been recorded; call it when
    /// no more questions come and before the log is closed.
    package func drain(withinMilliseconds limit: Int = 10_000) async {
        for _ in 0..<(limit / 5) {
            if statistics.isRecordedAll { return }
            try? await Task.sleep(for: .milliseconds(5))
        }
        logger.warning("some admissions of durability fast are not in the log")
    }

    /// What a client is told when the log did not acknowledge.
    static func unrecorded(_ error: EventLogError) -> GateError {
        let text =
            error.outcome == .unknown
            ? "not known to be recorded yet; ask again with the same id: " : "not recorded: "
        return GateError(code: .unavailable, message: text + error.message)
    }
}
