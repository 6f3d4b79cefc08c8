import MeteringPorts
import SQLClient

extension ControlStoreError {
    /// What an error of the driver means for the control plane, with what to do about it.
    init(_ error: SQLError) {
        let fault = SQLFault(error, owner: "The control plane", file: "catalog.db")
        self.init(
            code: Code(rawValue: fault.kind.rawValue) ?? .unavailable, message: fault.message,
            isRetriable: fault.isRetriable)
    }
}
