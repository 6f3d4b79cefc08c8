package import MeteringModel

/// What customer success and sales should look at. Raw values are the contract's words.
package enum SignalKind: String, Sendable, Hashable, CaseIterable {
    case nearLimit = "near_limit"
    case projectedExhaustion = "projected_exhaustion"
    case upsell
    case churnRisk = "churn_risk"
    case anomaly
    case leakage
}

package enum SignalSeverity: Int, Sendable, Hashable, CaseIterable, Comparable {
    case low = 1
    case medium, high, critical

    package var word: String { "\(self)" }

    package init?(_ word: String) {
        guard let found = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = found
    }

    package static func < (left: SignalSeverity, right: SignalSeverity) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What is asked of the list of signals.
package struct SignalQuery: Sendable, Hashable {
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// Neither acknowledged nor snoozed, or due again.
        case open
        case all
    }
    package var kind: SignalKind?
    package var customer: CustomerID?
    /// Who was assigned, or else who looks after the customer.
    package var owner: String?
    package var plan: PlanKey?
    package var state: State
    package var severityMin: SignalSeverity
    package var cursor: String?
    package var limit: Int
    package var principal: Principal
    package init(
        kind: SignalKind? = nil, customer: CustomerID? = nil, owner: String? = nil,
        plan: PlanKey? = nil, state: State = .open, severityMin: SignalSeverity = .low,
        cursor: String? = nil, limit: Int = 50, principal: Principal
    ) {
        self.kind = kind
        self.customer = customer
        self.owner = owner
        self.plan = plan
        self.state = state
        self.severityMin = severityMin
        self.cursor = cursor
        self.limit = limit
        self.principal = principal
    }
}

/// What people do about a signal; kept in the audited log.
package struct SignalCommand: Sendable, Hashable {
    package enum Action: String, Sendable, Hashable, CaseIterable {
        /// Seen; it comes back when it gets worse.
        case acknowledge
        /// `{"until": instant | "next_threshold"}`
        case snooze
        /// `{"owner": name | null}`
        case assign
        /// `{"text": …}`
        case note
    }
    package var action: Action
    package var id: String
    package var body: JSONValue
    package var context: CommandContext
    /// Of method, path, query and body, for idempotency.
    package var digest: String
    package init(
        action: Action, id: String, body: JSONValue, context: CommandContext, digest: String
    ) {
        self.action = action
        self.id = id
        self.body = body
        self.context = context
        self.digest = digest
    }
}

/// The list of signals, as the edges ask for it.
package protocol SignalDesk: AnyObject, Sendable {
    /// Largest score first.
    func list(_ query: SignalQuery) async throws(ControlProblem) -> ControlAnswer
    func signal(_ id: String, _ principal: Principal) async throws(ControlProblem) -> ControlAnswer
    func act(_ command: SignalCommand) async throws(ControlProblem) -> ControlAnswer
    /// Computes one customer's signals now; nil: brings everybody's turn forward.
    func refresh(
        _ customer: CustomerID?, _ principal: Principal
    ) async throws(ControlProblem) -> ControlAnswer
}

// MARK: shadow plans

/// Past usage under a draft of the catalog, one page of customers at a time.
package struct SimulationQuery: Sendable, Hashable {
    /// Half-open. Quota periods that end in it (from, to] and fees that fall due in it count.
    package var window: Period
    package var customer: CustomerID?
    package var cursor: String?
    package var limit: Int
    package var principal: Principal
    package init(
        window: Period, customer: CustomerID? = nil, cursor: String? = nil, limit: Int = 100,
        principal: Principal
    ) {
        self.window = window
        self.customer = customer
        self.cursor = cursor
        self.limit = limit
        self.principal = principal
    }
}

package enum SimulationFailure: Error, Sendable {
    /// The draft is no catalog that could be applied; with lines and columns.
    case draft(CatalogProblems)
    case problem(ControlProblem)
}

package protocol PlanSimulating: AnyObject, Sendable {
    /// Changes nothing.
    /// - Parameter draft: a catalog document, as for `apply`.
    func simulate(
        _ draft: String, _ query: SimulationQuery
    ) async throws(SimulationFailure) -> ControlAnswer
}
