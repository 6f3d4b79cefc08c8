import MeteringPorts
import SQLClient

extension BillingStoreError {
    /// What an error of the driver means for billing, with what to do about it.
    init(_ error: SQLError) {
        let code: Code
        let advice: String
        var isRetriable = false
        switch error.code {
        case .full:
            code = .full
            advice = "Billing has no room: free disk space; nothing was changed."
            isRetriable = true
        case .busy:
            code = .busy
            isRetriable = true
            if error.sql == nil {
                // The directory's lock: its message names the holder and says what to do.
                self.init(code: code, message: error.message, isRetriable: isRetriable)
                return
            }
            advice = "Another process holds billing.db: stop it."
        case .corrupt:
            code = .corrupt
            advice = "billing.db is damaged: restore it from a backup."
        case .constraint, .outOfRange:
            code = .corrupt
            advice = "A row broke a rule of billing.db's schema; please report this as a bug."
        case .ioError:
            code = .unavailable
            advice = "The disk of billing.db failed; look at the system's log."
            isRetriable = true
        case .cannotOpen:
            code = .unavailable
            advice = "Check that the data directory exists and may be written."
        case .readOnly:
            code = .misconfigured
            advice = "billing.db cannot be written as it is."
        case .misuse, .other:
            code = .unavailable
            advice = "billing.db refused the call."
        }
        self.init(code: code, message: "\(advice) \(error)", isRetriable: isRetriable)
    }
}

extension SQLError {
    static func damaged(_ what: String) -> SQLError {
        SQLError(code: .corrupt, rawCode: 0, message: what)
    }
}
