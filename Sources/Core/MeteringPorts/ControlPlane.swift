package import MeteringModel

// What the edges ask of the control plane. Documents are the contract's own JSON; the edge adds
// transport (routes, headers, entity tags) and decides nothing.

package protocol ControlPlane: AnyObject, Sendable {
    /// Carries a command out. Returns when the change is durable and every later check sees it.
    func perform(_ command: ControlCommand) async throws(ControlProblem) -> ControlAnswer
    func read(_ query: ControlQuery) async throws(ControlProblem) -> ControlAnswer
    /// One line of NDJSON per customer. See `ImportOptions`.
    func importCustomers(
        _ body: [UInt8], _ options: ImportOptions, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer
    func rollBackImport(
        _ id: String, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer
    /// A webhook of a billing system; `signature` is its header.
    func webhook(
        _ system: String, body: [UInt8], signature: String?
    ) async throws(ControlProblem) -> ControlAnswer
}

/// Who asks, how, and on what conditions.
package struct CommandContext: Sendable, Hashable {
    package var principal: Principal
    /// `api` unless the caller names its system (`Tollgate-Source`).
    package var source: String
    package var requestID: String
    package var idempotencyKey: String?
    /// The entity tag of `If-Match`, without quotes; `*` for "must exist".
    package var ifMatch: String?
    /// From the query or the body: nil is now.
    package var effectiveAt: Timestamp?
    package var reason: String?
    /// Only say what would change.
    package var isDryRun: Bool
    /// How many records the caller expects to change (migrations, prune, imports).
    package var expectedCount: Int?
    package init(
        principal: Principal, source: String = "api", requestID: String,
        idempotencyKey: String? = nil, ifMatch: String? = nil, effectiveAt: Timestamp? = nil,
        reason: String? = nil, isDryRun: Bool = false, expectedCount: Int? = nil
    ) {
        self.principal = principal
        self.source = source
        self.requestID = requestID
        self.idempotencyKey = idempotencyKey
        self.ifMatch = ifMatch
        self.effectiveAt = effectiveAt
        self.reason = reason
        self.isDryRun = isDryRun
        self.expectedCount = expectedCount
    }
}

package struct ControlCommand: Sendable {
    package enum Operation: Sendable, Hashable {
        /// `POST /v1/<kind>`; the body may name the id.
        case create(RecordKind)
        /// `PUT /v1/<kind>/{id}`: makes it, or replaces all of it.
        case put(RecordKind, String)
        /// `PATCH /v1/<kind>/{id}`: RFC 7396.
        case patch(RecordKind, String)
        /// `DELETE /v1/<kind>/{id}`
        case delete(RecordKind, String)
        /// `POST /v1/entitlements`: the shapes that vendors send.
        case provision
        /// `POST /v1/entitlements/revoke`, `…/reinstate`
        case revoke, reinstate
        /// `POST /v1/plans/{key}/migrate`
        case migrate(PlanKey)
        /// `POST /v1/customers/{id}/seats/{feature}`, body `{"holder"}`
        case assignSeat(CustomerID, FeatureKey)
        /// `DELETE /v1/customers/{id}/seats/{feature}/{holder}`
        case releaseSeat(CustomerID, FeatureKey, String)
        /// `POST /v1/customers/{id}/seats/{feature}/{holder}/heartbeat`
        case renewSeat(CustomerID, FeatureKey, String)
        /// `POST /v1/changes/{request_id}/undo`
        case undo(String)
        /// `POST /v1/keys`, `DELETE /v1/keys/{id}`
        case createKey
        case revokeKey(String)
        /// `POST /v1/customers/{id}/token`
        case mintToken(CustomerID)
        /// `POST /v1/signing-keys/rotate`
        case rotateSigningKey
    }
    package var operation: Operation
    /// An object; empty when there was no body.
    package var body: JSONValue
    package var context: CommandContext
    /// Of method, path, query and body, for idempotency.
    package var digest: String
    package init(
        operation: Operation, body: JSONValue, context: CommandContext, digest: String
    ) {
        self.operation = operation
        self.body = body
        self.context = context
        self.digest = digest
    }
}

package struct ControlQuery: Sendable {
    package enum Subject: Sendable, Hashable {
        case list(RecordKind)
        case record(RecordKind, String)
        /// `GET /v1/plans/{key}/versions`
        case planVersions(PlanKey)
        /// `GET /v1/customers/{id}/seats/{feature}`
        case seats(CustomerID, FeatureKey)
        /// `GET /v1/customers/{id}/adjustments`
        case adjustments(CustomerID)
        /// `GET /v1/audit`
        case audit(AuditFilter)
        /// `GET /v1/audit/head`: the chain's head, signed.
        case auditHead
        /// `GET /v1/changes/{request_id}`
        case request(String)
        /// `GET /v1/imports/{id}`
        case importProgress(String)
        case keys
        /// `GET /.well-known/jwks.json`
        case jwks
    }
    package var subject: Subject
    package var principal: Principal
    /// For records: as they are (were, will be) then; nil is now.
    package var at: Timestamp?
    /// Narrows lists.
    package var customer: CustomerID?
    package var cursor: String?
    package var limit: Int
    package init(
        subject: Subject, principal: Principal, at: Timestamp? = nil, customer: CustomerID? = nil,
        cursor: String? = nil, limit: Int = 100
    ) {
        self.subject = subject
        self.principal = principal
        self.at = at
        self.customer = customer
        self.cursor = cursor
        self.limit = limit
    }
}

package struct ImportOptions: Sendable, Hashable {
    /// Names the import, so that it can be resumed and rolled back; else the idempotency key, else
    /// a digest of the body.
    package var id: String?
    package init(id: String? = nil) { self.id = id }
}

package struct ControlAnswer: Sendable, Hashable {
    package var status: Int
    package var body: JSONValue
    /// Without quotes.
    package var entityTag: String?
    /// Path of what was made.
    package var location: String?
    package init(
        status: Int = 200, body: JSONValue, entityTag: String? = nil, location: String? = nil
    ) {
        self.status = status
        self.body = body
        self.entityTag = entityTag
        self.location = location
    }
}

/// Why a command or query was refused. Nothing of it took effect.
package struct ControlProblem: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Int, Sendable {
        case invalid = 400
        case unauthorized = 401
        case forbidden = 403
        case notFound = 404
        case conflict = 409
        case preconditionFailed = 412
        case unprocessable = 422
        case unavailable = 503
    }
    package struct Line: Sendable, Hashable {
        /// From 1.
        package var line: Int
        package var field: String?
        package var message: String
        package init(line: Int, field: String? = nil, message: String) {
            self.line = line
            self.field = field
            self.message = message
        }
    }
    package var kind: Kind
    /// Stable, for programs: `unknown_plan`, `cyclic_parent`, `overlapping_subscription`, …
    package var code: String
    /// What happened and what to do about it.
    package var detail: String
    /// The member at fault, e.g. `limits.api_calls_per_month`.
    package var field: String?
    /// For imports: every line at fault, up to a bound.
    package var lines: [Line] = []
    package init(
        _ kind: Kind, _ code: String, _ detail: String, field: String? = nil, lines: [Line] = []
    ) {
        self.kind = kind
        self.code = code
        self.detail = detail
        self.field = field
        self.lines = lines
    }
    package var description: String { detail }
}

// MARK: access

package enum AccessScope: String, Sendable, Hashable, CaseIterable, Codable {
    case check
    case writeEvents = "events:write"
    case readUsage = "usage:read"
    /// The control plane: customers, subscriptions, overrides, grants, seats, revocations, tokens.
    case writeLimits = "limits:write"
    case writeAlerts = "alerts:write"
    case readAudit = "audit:read"
    /// Includes all others; alone may make keys and change the catalog.
    case admin
}

/// Who is asking.
package struct Principal: Sendable, Hashable {
    /// The key's id; `local` where no key is needed.
    package var id: String
    package var scopes: Set<AccessScope>
    /// The only customer (with its tree) that it may see and name; nil: any.
    package var customer: CustomerID?
    package init(id: String, scopes: Set<AccessScope>, customer: CustomerID? = nil) {
        self.id = id
        self.scopes = scopes
        self.customer = customer
    }
    package static let local = Principal(id: "local", scopes: Set(AccessScope.allCases))
    package func may(_ scope: AccessScope) -> Bool {
        scopes.contains(scope) || scopes.contains(.admin)
    }
}

/// Which keys there are. Called on event loops for every request: must not block.
package protocol AccessControl: AnyObject, Sendable {
    /// Nil: unknown, expired or revoked.
    func principal(secret: [UInt8]) -> Principal?
    /// False until a first key was made: then everybody on loopback may do everything.
    var hasKeys: Bool { get }
    /// Whether a customer belongs to the tree of another.
    func isInTree(_ customer: CustomerID, of root: CustomerID) -> Bool
    /// The customer of a subject; nil when there is none.
    func owner(of subject: SubjectID) -> CustomerID?
}

/// How many seats are taken; what a check of a seat feature asks. Must not block.
package protocol SeatCounting: AnyObject, Sendable {
    func seatsTaken(_ customer: CustomerID, _ feature: FeatureKey, at: Timestamp) -> Int64
}

// MARK: restatement

/// What a change that reaches into the past did to usage that had been scored already.
package struct Restatement: Sendable, Hashable {
    package struct Line: Sendable, Hashable {
        package var customer: CustomerID
        package var feature: FeatureKey
        package var period: Period
        package var scale: Int
        package var used: Int64
        package var limitBefore: Limit?
        package var limitAfter: Limit?
        package var overageBefore: Int64
        package var overageAfter: Int64
        package init(
            customer: CustomerID, feature: FeatureKey, period: Period, scale: Int, used: Int64,
            limitBefore: Limit?, limitAfter: Limit?, overageBefore: Int64, overageAfter: Int64
        ) {
            self.customer = customer
            self.feature = feature
            self.period = period
            self.scale = scale
            self.used = used
            self.limitBefore = limitBefore
            self.limitAfter = limitAfter
            self.overageBefore = overageBefore
            self.overageAfter = overageAfter
        }
    }
    package var lines: [Line]
    package var crossingsResolved: [String]
    package var crossingsAppeared: [String]
    /// Admissions since then that the changed entitlements would have refused (ids, bounded).
    package var admissionsAffected: [String]
    package var admissionsAffectedCount: Int
    package init(
        lines: [Line] = [], crossingsResolved: [String] = [], crossingsAppeared: [String] = [],
        admissionsAffected: [String] = [], admissionsAffectedCount: Int = 0
    ) {
        self.lines = lines
        self.crossingsResolved = crossingsResolved
        self.crossingsAppeared = crossingsAppeared
        self.admissionsAffected = admissionsAffected
        self.admissionsAffectedCount = admissionsAffectedCount
    }
}
