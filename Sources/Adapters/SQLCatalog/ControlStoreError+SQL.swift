import MeteringPorts
import SQLClient

extension ControlStoreError {
    /// What an error of the driver means for the control plane, with what to do about it.
    init(_ error: SQLError) {
        let fault = SQLFault(error, owner: "The control plane", file: "catalog.db")
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

extension SQLError {
    static func damaged(_ what: String) -> SQLError {
        SQLError(code: .corrupt, rawCode: 0, message: what)
    }
}
