package import MeteringModel

// What the edges ask about money. Documents are answered as they are shown; the edge adds transport
// and decides nothing.

package protocol BillingDesk: AnyObject, Sendable {
    func perform(_ command: BillingCommand) async throws(ControlProblem) -> ControlAnswer
    func read(_ query: BillingQuery) async throws(ControlProblem) -> ControlAnswer
}

package struct BillingCommand: Sendable {
    package enum Operation: Sendable, Hashable {
        /// `POST /v1/billing/months/{month}/close`; nil: all customers.
        case close(month: String, customer: CustomerID?)
    }
    package var operation: Operation
    package var context: CommandContext
    /// Of method, path, query and body, for idempotency.
    package var digest: String
    package init(operation: Operation, context: CommandContext, digest: String) {
        self.operation = operation
        self.context = context
        self.digest = digest
    }
}

package struct BillingQuery: Sendable {
    package enum Subject: Sendable, Hashable {
        /// `GET /v1/customers/{id}/statements`
        case statementsOf(CustomerID)
        /// `GET /v1/customers/{id}/statements/{month}`; explained: with rollups under each line.
        case statement(CustomerID, month: String, isExplained: Bool)
        /// `GET /v1/customers/{id}/statements/{month}/events?line=`
        case events(CustomerID, month: String, line: String)
        /// `GET /v1/statements`; nil: all.
        case statements(month: String?, state: String?)
        /// `GET /v1/billing/check`; nil: all.
        case check(month: String?, customer: CustomerID?)
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
