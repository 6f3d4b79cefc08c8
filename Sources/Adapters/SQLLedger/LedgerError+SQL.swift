import MeteringPorts
import SQLClient

extension LedgerError {
    /// What an error of the driver means for the ledger, with what to do about it.
    init(_ error: SQLError) {
        if error.code == .outOfRange {
            self.init(
                code: .overflow,
                message: "A sum left the range of 64-bit units; nothing of this commit was written."
                    + " \(error)")
            return
        }
        let fault = SQLFault(
            error, owner: "The ledger", file: "ledger.db",
            remedy: "move it away, and it is rebuilt from the log")
        self.init(
            code: Code(rawValue: fault.kind.rawValue) ?? .unavailable, message: fault.message,
            isRetriable: fault.isRetriable)
    }
}
