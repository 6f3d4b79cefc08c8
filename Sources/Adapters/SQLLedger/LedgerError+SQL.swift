import MeteringPorts
import SQLClient

extension LedgerError {
    /// What an error of the driver means for the ledger, with what to do about it.
    init(_ error: SQLError) {
        let code: Code
        let advice: String
        var isRetriable = false
        switch error.code {
        case .full:
            code = .full
            advice = "The ledger has no room: free disk space; nothing of this commit was written."
            isRetriable = true
        case .busy:
            code = .busy
            isRetriable = true
            if error.sql == nil {
                // The directory's lock: its message names the holder and says what to do.
                self.init(code: code, message: error.message, isRetriable: isRetriable)
                return
            }
            advice = "Another process holds the ledger: stop it."
        case .outOfRange:
            code = .overflow
            advice = "A sum left the range of 64-bit units; nothing of this commit was written."
        case .corrupt:
            code = .corrupt
            advice = "The ledger file is damaged: move it away, and it is rebuilt from the log."
        case .ioError:
            code = .unavailable
            advice = "The ledger's disk failed; look at the system's log."
            isRetriable = true
        case .cannotOpen:
            code = .unavailable
            advice = "Check that the data directory exists and may be written."
        case .readOnly:
            code = .misconfigured
            advice = "The ledger cannot be written as it is."
        case .constraint:
            code = .corrupt
            advice = "A row broke a rule of the ledger's schema; please report this as a bug."
        case .misuse, .other:
            code = .unavailable
            advice = "The ledger refused the call."
        }
        self.init(code: code, message: "\(advice) \(error)", isRetriable: isRetriable)
    }
}
