internal import MeteringPorts

// How the services' errors look over HTTP. The switches are exhaustive on purpose: a new code does
// not compile until somebody decides its status.

extension Problem {
    init(_ error: GateError) {
        switch error.code {
        case .invalidQuantity: self = .invalid("quantity", error.message)
        case .invalidRequest:
            self.init(status: 400, code: "invalid_request", detail: error.message)
        case .idConflict: self.init(status: 409, code: "id_conflict", detail: error.message)
        case .reservationClosed:
            self.init(status: 409, code: "reservation_closed", detail: error.message)
        case .unknownReservation:
            self.init(status: 404, code: "unknown_reservation", detail: error.message)
        case .unknownCustomer:
            self.init(status: 404, code: "unknown_customer", detail: error.message)
        case .unavailable: self = .unavailable(code: "unavailable", error.message)
        case .overloaded: self = .unavailable(code: "overloaded", error.message)
        }
    }

    init(_ error: QueryError) {
        switch error.code {
        case .notFound: self.init(status: 404, code: "not_found", detail: error.message)
        case .invalid: self.init(status: 400, code: "invalid_request", detail: error.message)
        case .windowNotKept:
            self.init(status: 400, code: "window_not_kept", detail: error.message)
        case .unavailable: self = .unavailable(code: "unavailable", error.message)
        }
    }

    init(_ error: EventLogError) {
        switch error.code {
        case .tooLarge: self.init(status: 413, code: "too_large", detail: error.message)
        case .overloaded: self = .unavailable(code: "overloaded", error.message)
        case .full: self = .unavailable(code: "log_full", error.message, retryAfterSeconds: 30)
        case .unreachable, .closed, .offsetOutOfRange, .corrupt, .misconfigured:
            self = .unavailable(code: "not_durable", error.message, retryAfterSeconds: 5)
        }
        if status == 503, error.outcome == .unknown {
            detail += " (some may have been recorded; repeating them with the same ids is safe)"
        }
    }

    init(_ problems: CatalogProblems) {
        self.init(
            status: 422, code: "invalid_catalog",
            detail: "the catalog has \(problems.problems.count) error(s); nothing was changed")
        places = problems.problems.map {
            // Line 0 is how the catalog says that no line is at fault.
            $0.line == 0
                ? Place(message: $0.message)
                : Place(line: $0.line, column: $0.column, message: $0.message)
        }
    }

    init(_ problem: ControlProblem) {
        self.init(
            status: problem.kind.rawValue, code: problem.code, detail: problem.detail,
            field: problem.field)
        places = problem.lines.map { Place(line: $0.line, field: $0.field, message: $0.message) }
        switch problem.kind {
        case .unavailable: headers = [("Retry-After", "1")]
        case .unauthorized: headers = [("WWW-Authenticate", "Bearer")]
        case .invalid, .forbidden, .notFound, .conflict, .preconditionFailed, .unprocessable:
            break
        }
    }
}
