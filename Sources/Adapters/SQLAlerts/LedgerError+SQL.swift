import MeteringPorts
import SQLClient

extension LedgerError {
    /// What an error of the driver means for the alert store, with what to do about it.
    init(_ error: SQLError) {
        let fault = SQLFault(error, owner: "The alert store", file: "alerts.db")
        let code: Code =
            switch fault.kind {
            case .full: .full
            case .busy: .busy
            case .corrupt: .corrupt
            case .unavailable: .unavailable
            case .misconfigured: .misconfigured
            }
        self.init(code: code, message: fault.message, isRetriable: fault.isRetriable)
    }
}
