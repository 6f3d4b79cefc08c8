import MeteringPorts
import SQLClient

extension EventLogError {
    static let journalClosed = EventLogError(
        code: .closed, message: "the journal is closed and takes no more")

    static func outOfRange(_ offset: Int64, kept: Range<Int64>) -> EventLogError {
        let what =
            offset < kept.lowerBound
            ? "has been dropped; what it held can no longer be read"
            : "is beyond the end: the journal was replaced, or another ledger belongs to it"
        return EventLogError(
            code: .offsetOutOfRange,
            message: "offset \(offset) \(what) (the journal holds \(kept.lowerBound) up to"
                + " \(kept.upperBound))")
    }

    /// What an error of the driver means for the journal, with what to do about it.
    init(_ error: SQLError, path: String) {
        let code: Code
        let advice: String
        var isRetriable = false
        switch error.code {
        case .full:
            code = .full
            advice = "The journal has no room: free disk space."
            isRetriable = true
        case .busy:
            code = .misconfigured
            advice = "Another process has the journal \(path)."
        case .corrupt, .constraint, .outOfRange:
            code = .corrupt
            advice = "The journal \(path) is damaged: restore it from a copy."
        case .ioError:
            code = .unreachable
            advice = "The journal's disk failed; look at the system's log."
            isRetriable = true
        case .cannotOpen, .readOnly:
            code = .misconfigured
            advice = "Check that \(path) exists and may be read and written."
        case .closed, .misuse, .other:
            code = .unreachable
            advice = "The journal refused the call."
        }
        // A failed fsync at the commit leaves open what a recovery would find.
        let isUnknown = error.isFromCommit && error.code == .ioError
        self.init(
            code: code, message: "\(advice) \(error)", isRetriable: isRetriable,
            outcome: isUnknown ? .unknown : .notAppended)
    }
}
