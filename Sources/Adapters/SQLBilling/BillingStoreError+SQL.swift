import MeteringPorts
import SQLClient

extension BillingStoreError {
    /// What an error of the driver means for billing, with what to do about it.
    init(_ error: SQLError) {
        let fault = SQLFault(error, owner: "Billing", file: "billing.db")
        self.init(
            code: Code(rawValue: fault.kind.rawValue) ?? .unavailable, message: fault.message,
            isRetriable: fault.isRetriable)
    }
}
