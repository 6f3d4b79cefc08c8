package import MeteringModel

// What the edges (HTTP now, gRPC later) ask of the services. Edges translate; they decide nothing.

/// A question about one feature, as a client asks it.
package struct EntitlementQuestion: Sendable, Hashable {
    package enum Party: Sendable, Hashable {
        case customer(CustomerID)
        case subject(SubjectID)
    }
    package var party: Party
    package var feature: FeatureKey
    /// As written by the client; the service scales it to the meter's smallest unit.
    package var quantity: DecimalQuantity
    /// Idempotency key; required for a reservation, optional for consume.
    package var id: String?
    /// Where the use takes place, for entitlements that are bound to domains or regions.
    package var domain: String?
    package var region: String?
    /// Whose counters a customer's question is about; a subject has its own.
    package var environment: Environment
    package init(
        party: Party, feature: FeatureKey, quantity: DecimalQuantity = .init(mantissa: 1),
        id: String? = nil, domain: String? = nil, region: String? = nil,
        environment: Environment = .production
    ) {
        self.party = party
        self.feature = feature
        self.quantity = quantity
        self.id = id
        self.domain = domain
        self.region = region
        self.environment = environment
    }
}

package struct ReservationAnswer: Sendable {
    package var decision: Decision
    /// Nil when it was denied.
    package var reservation: Reservation?
    package init(decision: Decision, reservation: Reservation?) {
        self.decision = decision
        self.reservation = reservation
    }
}

package protocol EntitlementGate: AnyObject, Sendable {
    /// Charges nothing. Never blocks.
    func check(_ question: EntitlementQuestion) throws(GateError) -> Decision
    /// Decision and charge in one step; same id, same answer, one charge.
    func consume(_ question: EntitlementQuestion) async throws(GateError) -> Decision
    func reserve(
        _ question: EntitlementQuestion, timeToLiveSeconds: Int64
    ) async throws(GateError) -> ReservationAnswer
    /// Charges `actual` and frees the rest; the same call again gives the same answer.
    func commitReservation(
        _ id: String, actual: DecimalQuantity?
    ) async throws(GateError) -> ReservationAnswer
    func releaseReservation(_ id: String) async throws(GateError) -> ReservationAnswer
    /// Every entitlement of a customer at an instant (nil: now), sorted by feature; charges nothing.
    func entitlements(
        of customer: CustomerID, at: Timestamp?
    ) throws(GateError) -> [EffectiveEntitlement]
}

package struct EffectiveEntitlement: Sendable {
    package var feature: FeatureKey
    package var type: FeatureType
    package var decision: Decision
    package var enforcement: EnforcementMode?
    package var counting: CountingMode?
    package var thresholds: [String]
    /// What the value is made of, e.g. `plan pro v3`, `add_on premium x2`, `override ov_1`.
    package var sources: [String]
    package var binding: Binding?
    package init(
        feature: FeatureKey, type: FeatureType, decision: Decision, enforcement: EnforcementMode?,
        counting: CountingMode?, thresholds: [String], sources: [String] = [],
        binding: Binding? = nil
    ) {
        self.feature = feature
        self.type = type
        self.decision = decision
        self.enforcement = enforcement
        self.counting = counting
        self.thresholds = thresholds
        self.sources = sources
        self.binding = binding
    }
}

package struct GateError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case invalidQuantity, invalidRequest, idConflict, unknownReservation, reservationClosed
        case unavailable, overloaded, unknownCustomer
    }
    package var code: Code
    package var message: String
    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
    package var description: String { message }
}

/// One event that passed the edge's checks, ready for the log.
package struct AcceptedEvent: Sendable {
    /// Partitioning key: the subject.
    package var key: String
    /// Structured CloudEvents JSON.
    package var json: [UInt8]
    package init(key: String, json: [UInt8]) {
        self.key = key
        self.json = json
    }
}

package protocol EventIngest: AnyObject, Sendable {
    /// Returns once all are durable in the log.
    func record(_ events: [AcceptedEvent]) async throws(EventLogError)
    /// Checks one structured event as the pipeline will (form, required members, time window,
    /// value types of known meters). Nil when it will be counted or quarantined.
    func problem(with event: RawSpan, allowsBackfill: Bool) -> EventProblem?
    /// Appends set-aside events to the log again and marks them re-driven; returns their number.
    func redrive(kind: SetAsideEvent.Kind?, limit: Int) async throws(EventLogError) -> Int
}

package struct EventProblem: Error, Sendable, Hashable {
    /// Stable code, e.g. `malformed`, `missing_id`, `invalid_time`.
    package var code: String
    package var detail: String
    package init(code: String, detail: String) {
        self.code = code
        self.detail = detail
    }
}

package struct NearLimitEntry: Sendable, Hashable {
    package var customer: CustomerID
    package var feature: FeatureKey
    package var plan: String
    package var used: Int64
    package var limit: Int64
    package var scale: Int
    /// used / limit in basis points (8,000 = 80 %).
    package var shareBasisPoints: Int64
    package var period: Period
    package var timeZone: String
    package var enforcement: EnforcementMode
    /// When the cap is reached if usage goes on as it did (at the period's run rate so far, where
    /// no better forecast is known); nil when it is not, or already is.
    package var projectedExhaustion: Timestamp?
    /// The forecast's range; both nil where only the run rate is known. `projectedLatest` is nil
    /// as well when the cap may not be reached in this period.
    package var projectedEarliest: Timestamp?
    package var projectedLatest: Timestamp?
    /// Who looks after the customer.
    package var owner: String?
    package init(
        customer: CustomerID, feature: FeatureKey, plan: String, used: Int64, limit: Int64,
        scale: Int, shareBasisPoints: Int64, period: Period, timeZone: String,
        enforcement: EnforcementMode, projectedExhaustion: Timestamp?, owner: String? = nil
    ) {
        self.customer = customer
        self.feature = feature
        self.plan = plan
        self.used = used
        self.limit = limit
        self.scale = scale
        self.shareBasisPoints = shareBasisPoints
        self.period = period
        self.timeZone = timeZone
        self.enforcement = enforcement
        self.projectedExhaustion = projectedExhaustion
        self.owner = owner
    }
}

/// Which entries of the near-limit list are asked for; what is nil matches all.
package struct NearLimitFilter: Sendable, Hashable {
    package var customer: CustomerID?
    package var feature: FeatureKey?
    package var plan: PlanKey?
    package var owner: String?
    package init(
        customer: CustomerID? = nil, feature: FeatureKey? = nil, plan: PlanKey? = nil,
        owner: String? = nil
    ) {
        self.customer = customer
        self.feature = feature
        self.plan = plan
        self.owner = owner
    }

    package func matches(_ entry: NearLimitEntry) -> Bool {
        if let customer, entry.customer != customer { return false }
        if let feature, entry.feature != feature { return false }
        if let plan, PlanKey(entry.plan) != plan { return false }
        return owner == nil || entry.owner == owner
    }
}

package struct UsageReport: Sendable {
    package struct Window: Sendable {
        package var start: Timestamp
        package var end: Timestamp
        package var value: Int64
        package var count: Int64
        /// Dimension values by name, for the dimensions asked for.
        package var group: [String: String]
        package init(
            start: Timestamp, end: Timestamp, value: Int64, count: Int64, group: [String: String]
        ) {
            self.start = start
            self.end = end
            self.value = value
            self.count = count
            self.group = group
        }
    }
    package var customer: CustomerID
    package var feature: FeatureKey?
    package var meter: MeterKey
    package var unit: String
    package var scale: Int
    package var window: String
    package var timeZone: String
    package var usageCompleteTo: Timestamp?
    package var windows: [Window]
    /// The cursor of the rest; nil when this is all.
    package var next: String?
    package init(
        customer: CustomerID, feature: FeatureKey?, meter: MeterKey, unit: String, scale: Int,
        window: String, timeZone: String, usageCompleteTo: Timestamp?, windows: [Window],
        next: String? = nil
    ) {
        self.customer = customer
        self.feature = feature
        self.meter = meter
        self.unit = unit
        self.scale = scale
        self.window = window
        self.timeZone = timeZone
        self.usageCompleteTo = usageCompleteTo
        self.windows = windows
        self.next = next
    }
}

/// A question about a customer's usage.
package struct UsageQuery: Sendable, Hashable {
    /// Rows of one answer at most.
    package static let limitMax = 10_000

    package var customer: CustomerID
    /// A feature or, with the prefix `meter:`, a meter.
    package var feature: String
    /// Nil: the start of the month that goes on.
    package var from: Timestamp?
    /// Nil: now.
    package var to: Timestamp?
    package var window: UsageWindow
    package var groupBy: [String]
    /// Each `dimension:value`. Values of one dimension are alternatives, dimensions must all match.
    package var filters: [String]
    package var limit: Int
    /// The `next` of the answer before, to the same question.
    package var cursor: String?
    package init(
        customer: CustomerID, feature: String, from: Timestamp? = nil, to: Timestamp? = nil,
        window: UsageWindow = .day, groupBy: [String] = [], filters: [String] = [],
        limit: Int = limitMax, cursor: String? = nil
    ) {
        self.customer = customer
        self.feature = feature
        self.from = from
        self.to = to
        self.window = window
        self.groupBy = groupBy
        self.filters = filters
        self.limit = limit
        self.cursor = cursor
    }
}

package enum UsageWindow: String, Sendable, CaseIterable { case hour, day, month }

package protocol UsageReporting: AnyObject, Sendable {
    func usage(_ query: UsageQuery) throws(QueryError) -> UsageReport
    /// Sorted by share, largest first; `cursor` is the `next` of the page before.
    func nearLimit(
        overBasisPoints: Int64, filter: NearLimitFilter, limit: Int, cursor: String?
    ) throws(QueryError) -> (entries: [NearLimitEntry], next: String?)
    func alerts(
        customer: CustomerID?, since: Timestamp?, cursor: String?, limit: Int
    ) throws(QueryError) -> (alerts: [StoredCrossing], next: String?)
    func setAside(
        kind: SetAsideEvent.Kind?, cursor: String?, limit: Int
    ) throws(QueryError) -> (events: [StoredSetAside], next: String?)
    /// Per customer and meter lifetime totals, for audits and reconciliation.
    func totals() throws(QueryError) -> [MeterTotal]
    /// Recounts from the log and compares with ledger and counters.
    func reconcile() async throws(QueryError) -> ReconcileReport
}

extension UsageReporting {
    /// Everybody's.
    package func nearLimit(
        overBasisPoints: Int64, limit: Int, cursor: String?
    ) throws(QueryError) -> (entries: [NearLimitEntry], next: String?) {
        try nearLimit(
            overBasisPoints: overBasisPoints, filter: NearLimitFilter(), limit: limit,
            cursor: cursor)
    }
}

package struct ReconcileReport: Sendable {
    package struct Drift: Sendable, Hashable {
        package var customer: String
        package var meter: String
        package var period: Period?
        /// `ledger`, `rollups`, `rollups_hour`, `rollups_day`, `rollups_month`, `counters` or
        /// `redis`.
        package var store: String
        package var recounted: Int64
        package var stored: Int64
        package init(
            customer: String, meter: String, period: Period?, store: String, recounted: Int64,
            stored: Int64
        ) {
            self.customer = customer
            self.meter = meter
            self.period = period
            self.store = store
            self.recounted = recounted
            self.stored = stored
        }
    }
    /// The sum of the five counts that follow.
    package var eventsRead: Int64
    package var eventsCounted: Int64
    package var duplicates: Int64
    /// Dead letters, and events of subjects that no customer has.
    package var setAside: Int64
    /// Events that no meter's filter let through.
    package var filtered: Int64
    /// Tollgate's own events that carry no usage: holds opened and closed, corrections.
    package var controlEvents: Int64
    package var rowsCompared: Int64
    package var drifts: [Drift]
    /// What could not be compared, in words.
    package var notes: [String]
    package init(
        eventsRead: Int64, eventsCounted: Int64, duplicates: Int64, setAside: Int64,
        filtered: Int64, controlEvents: Int64, rowsCompared: Int64, drifts: [Drift],
        notes: [String]
    ) {
        self.eventsRead = eventsRead
        self.eventsCounted = eventsCounted
        self.duplicates = duplicates
        self.setAside = setAside
        self.filtered = filtered
        self.controlEvents = controlEvents
        self.rowsCompared = rowsCompared
        self.drifts = drifts
        self.notes = notes
    }
}

package struct QueryError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case notFound, invalid, unavailable
        /// Usage of that time is kept in wider windows only.
        case windowNotKept
    }
    package var code: Code
    package var message: String
    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
    package var description: String { message }
}

/// The catalog as users change it.
package protocol CatalogAdministration: AnyObject, Sendable {
    /// Validates a YAML document, says what it would change, and applies it unless it is a dry run.
    func apply(
        _ yaml: String, _ options: CatalogApplyOptions, _ context: CommandContext
    ) async throws(CatalogProblems) -> CatalogChange
    /// The catalog as a document that changes nothing when it is applied; `includesAll` adds the
    /// customers that no document manages.
    func export(includesAll: Bool) async throws(CatalogProblems) -> (revision: Int64, yaml: String)
}

package struct CatalogApplyOptions: Sendable, Hashable {
    package var isDryRun: Bool
    /// Remove what a document made and this one does not name.
    package var prunes: Bool
    /// Move subscriptions on earlier versions of the plans in the document to the latest.
    package var migrates: Bool
    package init(isDryRun: Bool = false, prunes: Bool = false, migrates: Bool = false) {
        self.isDryRun = isDryRun
        self.prunes = prunes
        self.migrates = migrates
    }
}

package struct CatalogChange: Sendable {
    package var revision: Int64
    /// One line a change, as a plan shows it: `+ plan pro`, `~ plan pro: tokens limit 10 → 20`.
    package var lines: [String]
    package var isApplied: Bool
    package init(revision: Int64, lines: [String], isApplied: Bool) {
        self.revision = revision
        self.lines = lines
        self.isApplied = isApplied
    }
}

package struct CatalogProblems: Error, Sendable, CustomStringConvertible {
    package struct Problem: Sendable, Hashable {
        package var line: Int
        package var column: Int
        package var message: String
        package init(line: Int, column: Int, message: String) {
            self.line = line
            self.column = column
            self.message = message
        }
    }
    package var problems: [Problem]
    package init(_ problems: [Problem]) { self.problems = problems }
    package var description: String {
        problems.map { "line \($0.line), column \($0.column): \($0.message)" }
            .joined(separator: "\n")
    }
}

/// Whether the process can answer, and what it counts about itself.
package protocol OperationsStatus: AnyObject, Sendable {
    /// Empty when ready; otherwise one line a reason.
    func notReadyReasons() -> [String]
    /// Named facts for `/readyz` (degraded modes, lag, positions), sorted by name.
    func details() -> [(name: String, value: String)]
    /// Prometheus text 0.0.4.
    func metricsText() -> String
}

/// A record as `events tail` shows it.
package struct TailedEvent: Sendable, Hashable {
    package var info: LogRecordInfo
    /// The value, cut to the tail's bound.
    package var payload: [UInt8]
    package init(info: LogRecordInfo, payload: [UInt8]) {
        self.info = info
        self.payload = payload
    }
}

package protocol EventTailing: AnyObject, Sendable {
    /// Records read from the log since `cursor` (0: from now on), oldest first; costs nothing
    /// while nobody asks.
    func events(after cursor: Int64, limit: Int) -> (events: [TailedEvent], next: Int64)
}
