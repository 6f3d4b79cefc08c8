internal import NIOHTTP1

/// An error as clients get it: an RFC 9457 document.
struct Problem: Error, Sendable {
    var status: Int
    /// Stable, for programs.
    var code: String
    /// What happened and what to do about it, for people.
    var detail: String
    /// The member or parameter at fault.
    var field: String?
    var headers: [(name: String, value: String)] = []
    /// Places in a document that was sent: catalog errors, lines of an import.
    var places: [Place] = []
    /// Limits of the edge itself that the request went over.
    var violatedPolicies: [String] = []

    struct Place: Sendable {
        /// Nil where no line says it, but the document as a whole.
        var line: Int?
        var column: Int?
        var field: String?
        var message: String
    }

    init(status: Int, code: String, detail: String, field: String? = nil) {
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
    }

    /// 400 about one member or parameter.
    static func invalid(_ field: String, _ detail: String) -> Problem {
        Problem(status: 400, code: "invalid_request", detail: detail, field: field)
    }

    /// 403: a key that is bound to a customer asks about somebody else.
    static let wrongCustomer = Problem(
        status: 403, code: "wrong_customer",
        detail: "this key is bound to one customer and may name only that one and those below it")

    /// 503 with `Retry-After`: the request had no effect that a repetition would double.
    static func unavailable(code: String, _ detail: String, retryAfterSeconds: Int = 1) -> Problem {
        var problem = Problem(status: 503, code: code, detail: detail)
        problem.headers = [("Retry-After", String(retryAfterSeconds))]
        return problem
    }

    init(_ failure: BodyFailure) {
        if failure.isTooLarge {
            self.init(status: 413, code: "too_large", detail: failure.message)
        } else if let field = failure.field {
            self = .invalid(field, failure.message)
        } else {
            let place = failure.offset.map { " at byte \($0)" } ?? ""
            self.init(
                status: 400, code: "malformed_json", detail: "not JSON: \(failure.message)\(place)")
        }
    }

    static let contentType: StaticString = "application/problem+json"

    var head: AnswerHead {
        AnswerHead(status: status, contentType: Self.contentType, headers: headers)
    }

    func write(to writer: inout JSONWriter, requestID: String) {
        writer.object { writer in
            writeMembers(to: &writer, requestID: requestID)
        }
    }

    func writeMembers(to writer: inout JSONWriter, requestID: String) {
        writer.member("\"type\":", type)
        writer.member("\"title\":", HTTPResponseStatus(statusCode: status).reasonPhrase)
        writer.member("\"status\":", Int64(status))
        writer.member("\"detail\":", detail)
        writer.member("\"code\":", code)
        if !requestID.isEmpty {
            writer.member("\"instance\":", "urn:tollgate:request:" + requestID)
            writer.member("\"request_id\":", requestID)
        }
        if let field { writer.member("\"field\":", field) }
        if !violatedPolicies.isEmpty {
            writer.member("\"violated-policies\":", violatedPolicies)
        }
        if !places.isEmpty {
            writer.name("\"errors\":")
            writer.array(places) { writer, place in Self.write(place, to: &writer) }
        }
    }

    private static func write(_ place: Place, to writer: inout JSONWriter) {
        writer.object { writer in
            if let line = place.line { writer.member("\"line\":", Int64(line)) }
            if let column = place.column { writer.member("\"column\":", Int64(column)) }
            if let field = place.field { writer.member("\"field\":", field) }
            writer.member("\"message\":", place.message)
        }
    }

    /// Types that IANA has registered where one fits, else a name of ours.
    private var type: String {
        switch code {
        case "quota_exceeded", "rate_limited":
            "https://iana.org/assignments/http-problem-types#quota-exceeded"
        case "overloaded":
            "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
        default: "urn:tollgate:problem:" + code
        }
    }
}
