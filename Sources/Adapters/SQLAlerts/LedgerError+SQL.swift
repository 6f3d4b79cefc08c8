import MeteringPorts
import SQLClient

extension LedgerError {
    /// What an error of the driver means for the alert store, with what to do about it.
    init(_ error: SQLError) {
        let code: Code
        let advice: String
        var isRetriable = false
        switch error.code {
        case .full:
            code = .full
            advice = "The alert store has no room: free disk space; nothing was changed."
            isRetriable = true
        case .busy:
            code = .busy
            isRetriable = true
            if error.sql == nil {
                // The directory's lock: its message names the holder and says what to do.
                self.init(code: code, message: error.message, isRetriable: isRetriable)
                return
            }
            advice = "Another process holds alerts.db: stop it."
        case .corrupt:
            code = .corrupt
            advice = "alerts.db is damaged: restore it from a backup."
        case .constraint, .outOfRange:
            code = .corrupt
            advice = "A row broke a rule of alerts.db's schema; please report this as a bug."
        case .ioError:
            code = .unavailable
            advice = "The disk of alerts.db failed; look at the system's log."
            isRetriable = true
        case .cannotOpen:
            code = .unavailable
            advice = "Check that the data directory exists and may be written."
        case .readOnly:
            code = .misconfigured
            advice = "alerts.db cannot be written as it is."
        case .misuse, .other:
            code = .unavailable
            advice = "alerts.db refused the call."
        }
        self.init(code: code, message: "\(advice) \(error)", isRetriable: isRetriable)
    }
}
