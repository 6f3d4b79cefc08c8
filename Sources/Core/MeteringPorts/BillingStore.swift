package import MeteringModel

/// Where statements are kept once their month is closed, with what is still to be put right about
/// them. It is the only record of what was billed: nothing rebuilds it. One writer at a time; reads
/// from any thread. Every write is one transaction, on the disk when the call returns.
package protocol BillingStore: AnyObject, Sendable {
    // MARK: closing

    /// Writes statements with their lines, and attaches to each the adjustments that wait for its
    /// customer. All of them or none, apart from those that are there already: a month of a customer
    /// is closed once.
    /// - Returns: one for each closing, in its order; nil: that month was closed before, or what it
    ///   comes to was billed by adjustments.
    func close(
        _ closings: [StatementClosing]
    ) throws(BillingStoreError) -> [ClosedStatement?]

    func statement(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> ClosedStatement?
    /// In the order of (month, customer), after `after`.
    func statements(
        customer: CustomerID?, month: BillingMonth?, after: StatementPlace?, limit: Int
    ) throws(BillingStoreError) -> [ClosedStatement]
    /// In the order of closing: what exports follow.
    func statements(
        afterSequence sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [ClosedStatement]
    /// The statements of some customers in the months from `first` through `last`, all as of one
    /// instant; each customer's by month. One without a statement is left out.
    func statements(
        of customers: [CustomerID], from first: BillingMonth, through last: BillingMonth
    ) throws(BillingStoreError) -> [CustomerID: [ClosedStatement]]
    /// A statement's own lines, then the adjustments attached to it, as they were written.
    func lines(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> [StatementLine]

    // MARK: adjustments

    /// What has been billed for a month: the lines of its statement and every adjustment of it,
    /// attached or waiting. Empty for a month that has no statement and was never adjusted.
    func billed(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> BilledMonth
    /// Adjustments that no statement has yet, oldest first.
    func pendingLines(_ customer: CustomerID) throws(BillingStoreError) -> [StatementLine]
    /// The same of some customers; one without such lines is left out.
    func pendingLines(
        of customers: [CustomerID]
    ) throws(BillingStoreError) -> [CustomerID: [StatementLine]]
    /// All that was ever billed to some customers, in their order and as of one instant.
    func histories(of customers: [CustomerID]) throws(BillingStoreError) -> [BilledHistory]
    /// Customers with such lines, by id, after `after`.
    func customersWithPendingLines(
        after: CustomerID?, limit: Int
    ) throws(BillingStoreError) -> [CustomerID]
    /// Adds adjustments of one month and takes the marks out that they settle.
    /// - Throws: `.conflict` when the month was adjusted since `settlement.base` was read.
    func settle(_ settlement: MonthSettlement) throws(BillingStoreError)

    // MARK: months to look at again

    /// Notes causes and how far a feed was read. A cause that is noted already is noted anew: whoever
    /// settles it must have looked after the last time.
    func note(
        _ marks: [BillingMark], cursor: (name: String, value: Int64)?
    ) throws(BillingStoreError)
    /// Notes one cause for every statement of the months from `month` on.
    func noteAll(
        from month: BillingMonth, _ cause: BillingCause, cursor: (name: String, value: Int64)?
    ) throws(BillingStoreError)
    /// Marks whose time has come, oldest first; a month's are not kept together.
    func marks(dueBy instant: Timestamp, limit: Int) throws(BillingStoreError) -> [StoredMark]
    /// Of one month (nil: of all), whether their time has come or not.
    func marks(
        _ customer: CustomerID, _ month: BillingMonth?
    ) throws(BillingStoreError) -> [StoredMark]

    // MARK: progress

    /// 0 before it is first set.
    func cursor(_ name: String) throws(BillingStoreError) -> Int64
    func setCursor(_ name: String, _ value: Int64) throws(BillingStoreError)
    /// The last month that is closed for all customers of a zone; nil: none yet.
    func closedThrough(zone: String) throws(BillingStoreError) -> BillingMonth?
    func setClosedThrough(zone: String, _ month: BillingMonth) throws(BillingStoreError)

    // MARK: commands

    func answer(idempotencyKey: String) throws(BillingStoreError) -> StoredAnswer?
    func putAnswer(_ answer: StoredAnswer) throws(BillingStoreError)
}

/// A statement's place in lists.
package struct StatementPlace: Sendable, Hashable {
    package var month: BillingMonth
    package var customer: CustomerID
    package init(month: BillingMonth, customer: CustomerID) {
        self.month = month
        self.customer = customer
    }
}

/// A statement to be written.
package struct StatementClosing: Sendable {
    package var customer: CustomerID
    package var month: BillingMonth
    /// IANA name of the zone that `period` is the month in.
    package var zone: String
    package var period: Period
    package var closedAt: Timestamp
    /// `tollgate`, or the id of who closed it by hand.
    package var closedBy: String
    package var reason: String?
    /// The control plane's revision that it was rated under.
    package var revision: Int64
    /// Its own, without adjustments.
    package var lines: [StatementLine]
    /// Marks to be noted with it, e.g. that it must be looked at again when its grace is over.
    package var marks: [BillingMark]
    package init(
        customer: CustomerID, month: BillingMonth, zone: String, period: Period,
        closedAt: Timestamp, closedBy: String, reason: String? = nil, revision: Int64,
        lines: [StatementLine], marks: [BillingMark] = []
    ) {
        self.customer = customer
        self.month = month
        self.zone = zone
        self.period = period
        self.closedAt = closedAt
        self.closedBy = closedBy
        self.reason = reason
        self.revision = revision
        self.lines = lines
        self.marks = marks
    }
}

/// A closed statement without its lines. Never changes.
package struct ClosedStatement: Sendable, Hashable {
    /// 1, 2, … in the order of closing.
    package var sequence: Int64
    package var customer: CustomerID
    package var month: BillingMonth
    package var zone: String
    package var period: Period
    package var closedAt: Timestamp
    package var closedBy: String
    package var reason: String?
    package var revision: Int64
    package var lineCount: Int
    /// Of all its lines, adjustments included, by currency; a statement without lines has none.
    package var totals: [MoneyTotal]
    package init(
        sequence: Int64, customer: CustomerID, month: BillingMonth, zone: String, period: Period,
        closedAt: Timestamp, closedBy: String, reason: String?, revision: Int64, lineCount: Int,
        totals: [MoneyTotal]
    ) {
        self.sequence = sequence
        self.customer = customer
        self.month = month
        self.zone = zone
        self.period = period
        self.closedAt = closedAt
        self.closedBy = closedBy
        self.reason = reason
        self.revision = revision
        self.lineCount = lineCount
        self.totals = totals
    }
    package var place: StatementPlace { StatementPlace(month: month, customer: customer) }
}

/// An amount in minor units of its currency.
package struct MoneyTotal: Sendable, Hashable {
    package var currency: Currency
    package var amount: Int64
    package init(currency: Currency, amount: Int64) {
        self.currency = currency
        self.amount = amount
    }
}

package struct StatementLine: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case usage, minimum, fee, seats
        case addOn = "add_on"
        case adjustment
    }
    /// Made of what the line is about, so the same on every repetition: `li_` and 32 hex digits.
    package var id: String
    package var kind: Kind
    /// What it is about, within its customer: two lines of one key are about the same charge.
    package var key: String
    package var feature: FeatureKey?
    package var meter: MeterKey?
    /// Plan, add-on or seat feature.
    package var item: String?
    package var subscription: String?
    /// Quota period or billing cycle.
    package var period: Period
    /// The time within it that is charged for.
    package var from: Timestamp
    package var to: Timestamp
    /// Billable smallest units, or seats; negative for credits; of an adjustment: by how many it
    /// differs.
    package var quantity: Int64
    package var scale: Int
    package var currency: Currency
    /// Minor units.
    package var amount: Int64
    /// Adjustments only.
    package var correction: Correction?
    /// The line with all that explains it, as it is shown.
    package var document: JSONValue

    /// What an adjustment puts right.
    package struct Correction: Sendable, Hashable {
        /// The month whose statement was wrong.
        package var month: BillingMonth
        /// What had been billed for the key, and what should have been; minor units.
        package var amountBefore: Int64
        package var amountAfter: Int64
        package var quantityBefore: Int64
        package var quantityAfter: Int64
        package var causes: [BillingCause]
        package init(
            month: BillingMonth, amountBefore: Int64, amountAfter: Int64, quantityBefore: Int64,
            quantityAfter: Int64, causes: [BillingCause]
        ) {
            self.month = month
            self.amountBefore = amountBefore
            self.amountAfter = amountAfter
            self.quantityBefore = quantityBefore
            self.quantityAfter = quantityAfter
            self.causes = causes
        }
    }

    package init(
        id: String, kind: Kind, key: String, feature: FeatureKey? = nil, meter: MeterKey? = nil,
        item: String? = nil, subscription: String? = nil, period: Period, from: Timestamp,
        to: Timestamp, quantity: Int64, scale: Int = 0, currency: Currency, amount: Int64,
        correction: Correction? = nil, document: JSONValue
    ) {
        self.id = id
        self.kind = kind
        self.key = key
        self.feature = feature
        self.meter = meter
        self.item = item
        self.subscription = subscription
        self.period = period
        self.from = from
        self.to = to
        self.quantity = quantity
        self.scale = scale
        self.currency = currency
        self.amount = amount
        self.correction = correction
        self.document = document
    }
}

/// Why a month that was closed must be looked at again.
package struct BillingCause: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Usage that came after its period's grace; the id is the ledger's sequence.
        case lateUsage = "late_usage"
        /// An event was voided, amended or restored; the id is the correction's.
        case correction
        /// The contract was changed for a time that is past; the id is the request's.
        case contractChange = "contract_change"
        /// The month was closed by hand before its grace was over; the id is `grace`.
        case recheck
    }
    package var kind: Kind
    package var id: String
    package var at: Timestamp
    package init(kind: Kind, id: String, at: Timestamp) {
        self.kind = kind
        self.id = id
        self.at = at
    }
}

/// A cause and the month that it bears on.
package struct BillingMark: Sendable, Hashable {
    package var customer: CustomerID
    package var month: BillingMonth
    package var cause: BillingCause
    /// Not before the log is complete to here.
    package var dueAt: Timestamp
    /// - Parameter dueAt: nil: at once.
    package init(
        customer: CustomerID, month: BillingMonth, cause: BillingCause, dueAt: Timestamp? = nil
    ) {
        self.customer = customer
        self.month = month
        self.cause = cause
        self.dueAt = dueAt ?? .distantPast
    }
}

package struct StoredMark: Sendable, Hashable {
    package var sequence: Int64
    package var mark: BillingMark
    package init(sequence: Int64, mark: BillingMark) {
        self.sequence = sequence
        self.mark = mark
    }
}

/// What was billed for one month of one customer so far.
package struct BilledMonth: Sendable, Hashable {
    package var statement: ClosedStatement?
    /// The statement's own, without the adjustments that are attached to it.
    package var lines: [StatementLine]
    /// Adjustments of this month, oldest first, wherever they are attached.
    package var adjustments: [StatementLine]
    package init(
        statement: ClosedStatement?, lines: [StatementLine], adjustments: [StatementLine]
    ) {
        self.statement = statement
        self.lines = lines
        self.adjustments = adjustments
    }
}

/// All that was ever billed to one customer, and what is still to be looked at, read at once.
///
/// Lines are for comparing: of their documents only those of adjustments are there, the others are
/// null.
package struct BilledHistory: Sendable {
    package var customer: CustomerID
    /// By month.
    package var statements: [ClosedStatement]
    /// By the month of the statement that they stand on, then in its order.
    package var lines: [(month: BillingMonth, line: StatementLine)]
    /// Adjustments that no statement has yet, oldest first.
    package var pendingLines: [StatementLine]
    package var marks: [StoredMark]
    package init(
        customer: CustomerID, statements: [ClosedStatement],
        lines: [(month: BillingMonth, line: StatementLine)], pendingLines: [StatementLine],
        marks: [StoredMark]
    ) {
        self.customer = customer
        self.statements = statements
        self.lines = lines
        self.pendingLines = pendingLines
        self.marks = marks
    }

    /// What was billed for a month so far, wherever its adjustments are attached.
    package func billed(_ month: BillingMonth) -> [StatementLine] {
        let own = lines.filter { $0.month == month && $0.line.correction == nil }.map(\.line)
        let attached = lines.map(\.line).filter { $0.correction?.month == month }
        return own + attached + pendingLines.filter { $0.correction?.month == month }
    }
}

/// What looking again at a month came to.
package struct MonthSettlement: Sendable {
    package var customer: CustomerID
    package var month: BillingMonth
    /// How many adjustments of the month there were when it was rated.
    package var base: Int
    /// Adjustments to add; none when nothing differs.
    package var lines: [StatementLine]
    /// Sequences of the marks that are done with.
    package var marks: [Int64]
    package init(
        customer: CustomerID, month: BillingMonth, base: Int, lines: [StatementLine],
        marks: [Int64]
    ) {
        self.customer = customer
        self.month = month
        self.base = base
        self.lines = lines
        self.marks = marks
    }
}

package struct BillingStoreError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case conflict, full, busy, corrupt, unavailable, misconfigured
    }
    package var code: Code
    package var message: String
    package var isRetriable: Bool
    package init(code: Code, message: String, isRetriable: Bool = false) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }
    package var description: String { message }
}
