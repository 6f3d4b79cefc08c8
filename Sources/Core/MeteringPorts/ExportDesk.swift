package import MeteringModel

// What the edges ask about exports.

package protocol ExportDesk: AnyObject, Sendable {
    /// A page of statement lines, as bytes of the format.
    func statements(
        _ query: StatementExportQuery
    ) async throws(ControlProblem) -> StatementExportPage
    func read(_ query: ExportQuery) async throws(ControlProblem) -> ControlAnswer
    func perform(_ command: ExportCommand) async throws(ControlProblem) -> ControlAnswer
}

/// `GET /v1/statements/export`
package struct StatementExportQuery: Sendable, Hashable {
    /// `YYYY-MM`
    package var month: String
    /// `csv`, `ndjson` or `focus`
    package var format: String
    package var customer: CustomerID?
    package var principal: Principal
    package var cursor: String?
    /// Statement lines in a page.
    package var limit: Int
    package init(
        month: String, format: String, customer: CustomerID? = nil, principal: Principal,
        cursor: String? = nil, limit: Int = 1_000
    ) {
        self.month = month
        self.format = format
        self.customer = customer
        self.principal = principal
        self.cursor = cursor
        self.limit = limit
    }
}

/// The pages of an export, one after the other, are the file.
package struct StatementExportPage: Sendable {
    package var body: [UInt8]
    package var contentType: StaticString
    package var fileName: String
    /// Nil: the last page.
    package var next: String?
    /// With the last page: `sha256:…` of the whole file, as it was noted.
    package var digest: String?
    package init(
        body: [UInt8], contentType: StaticString, fileName: String, next: String?, digest: String?
    ) {
        self.body = body
        self.contentType = contentType
        self.fileName = fileName
        self.next = next
        self.digest = digest
    }
}

package struct ExportQuery: Sendable, Hashable {
    package enum Subject: Sendable, Hashable {
        /// `GET /v1/exports/stripe`; nil: all.
        case meterEvents(state: String?, customer: CustomerID?)
        /// `GET /v1/exports/stripe/credits`
        case meterCredits(customer: CustomerID?)
        /// `GET /v1/exports/statements`; nil: all.
        case notes(month: String?)
    }
    package var subject: Subject
    package var principal: Principal
    package var cursor: String?
    package var limit: Int
    package init(
        subject: Subject, principal: Principal, cursor: String? = nil, limit: Int = 100
    ) {
        self.subject = subject
        self.principal = principal
        self.cursor = cursor
        self.limit = limit
    }
}

package struct ExportCommand: Sendable {
    package enum Operation: Sendable, Hashable {
        /// `POST /v1/exports/stripe/{identifier}/resolve`; `sent` or `resend`.
        case resolve(identifier: String, verdict: String)
    }
    package var operation: Operation
    package var context: CommandContext
    package init(operation: Operation, context: CommandContext) {
        self.operation = operation
        self.context = context
    }
}
