import MeteringPorts
import SQLClient

extension LedgerError {
    /// What an error of the driver means for the alert store, with what to do about it.
    init(_ error: SQLError) {
        let fault = SQLFault(error, owner: "The alert store", file: "alerts.db")
        self.init(
            code: Code(rawValue: fault.kind.rawValue) ?? .unavailable, message: fault.message,
            isRetriable: fault.isRetriable)
    }
}
