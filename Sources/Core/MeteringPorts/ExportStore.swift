package import MeteringModel

/// What has been told to billing systems outside, kept beside the statements: nothing rebuilds it,
/// and it is what keeps a retry from billing twice. Every write is one transaction, on the disk
/// when the call returns; reads from any thread.
package protocol ExportStore: AnyObject, Sendable {
    // MARK: meter events

    /// What was planned of one customer and meter; `windows` from `from` on.
    func meterEventHistory(
        _ customer: CustomerID, _ meter: MeterKey, from: Timestamp
    ) throws(BillingStoreError) -> MeterEventHistory
    /// Those of some customers, in their order and as of one instant; windows from the month of the
    /// account on, or from `from` where nothing was planned yet.
    func meterEventHistories(
        of customers: [CustomerID], _ meter: MeterKey, from: Timestamp
    ) throws(BillingStoreError) -> [MeterEventHistory]
    /// All of them or none.
    /// - Throws: `.conflict` when events of a pair were added since its `base` was read.
    func plan(_ plans: [MeterEventPlan]) throws(BillingStoreError)
    /// Planned events whose time has come, in the order of their windows.
    func dueMeterEvents(
        at instant: Timestamp, limit: Int
    ) throws(BillingStoreError) -> [StoredMeterEvent]
    /// Notes that a call is about to be made: from now on its outcome counts as unknown.
    /// - Parameters:
    ///   - timestamp: what the call says; stays the same for all later calls.
    ///   - retryAt: when it is due again, should nothing be heard of this call.
    func beginCall(
        _ sequence: Int64, timestamp: Timestamp, at instant: Timestamp, retryAt: Timestamp
    ) throws(BillingStoreError)
    func endCall(
        _ sequence: Int64, _ outcome: MeterEventOutcome, at instant: Timestamp
    ) throws(BillingStoreError)
    func meterEvent(_ identifier: String) throws(BillingStoreError) -> StoredMeterEvent?
    /// In the order of planning; nil: all.
    func meterEvents(
        state: StoredMeterEvent.State?, customer: CustomerID?, after sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [StoredMeterEvent]
    /// Settles an event by hand. `replacement` takes the place of one that shall be sent anew.
    /// - Throws: `.conflict` when it is in none of `MeterEventResolution.states` any more.
    func resolve(
        _ identifier: String, _ resolution: MeterEventResolution,
        replacement: MeterEventDraft?
    ) throws(BillingStoreError)
    /// How many there are in each state, and since when the oldest of those not yet sent waits.
    func meterEventSummary() throws(BillingStoreError) -> MeterEventSummary
    /// By customer, meter and month, after `after`; nil: all.
    func meterCredits(
        customer: CustomerID?, after: MeterCredit?, limit: Int
    ) throws(BillingStoreError) -> [MeterCredit]

    // MARK: statement exports

    func note(_ export: StatementExportNote) throws(BillingStoreError)
    /// Oldest first; nil: all months.
    func exportNotes(
        month: BillingMonth?, after sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [(sequence: Int64, note: StatementExportNote)]
}

/// An amount of usage that Stripe is to be told once: whole units of one customer and meter in one
/// window. What comes later for the same window is another revision with the difference.
package struct MeterEventDraft: Sendable, Hashable {
    /// What Stripe tells repetitions by; at most 100 ASCII characters.
    package var identifier: String
    package var customer: CustomerID
    package var meter: MeterKey
    package var window: Period
    /// 1, 2, …
    package var revision: Int
    /// `cus_…`
    package var stripeCustomer: String
    package var eventName: String
    /// Whole units as people write quantities; at least 1.
    package var value: Int64
    /// When Stripe is told that it was; nil: decided before the first call, and fixed from then on.
    package var timestamp: Timestamp?
    package init(
        identifier: String, customer: CustomerID, meter: MeterKey, window: Period, revision: Int,
        stripeCustomer: String, eventName: String, value: Int64, timestamp: Timestamp? = nil
    ) {
        self.identifier = identifier
        self.customer = customer
        self.meter = meter
        self.window = window
        self.revision = revision
        self.stripeCustomer = stripeCustomer
        self.eventName = eventName
        self.value = value
        self.timestamp = timestamp
    }
}

package struct StoredMeterEvent: Sendable, Hashable {
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// To be sent, or under way.
        case planned
        case sent
        /// Stripe may have it or not, and would no longer tell a repetition: people decide.
        case uncertain
        /// Stripe said no, and would again.
        case refused
        /// Stripe takes no events of its time any more.
        case tooOld = "too_old"
        /// Another revision was made of it by hand; counts no longer.
        case replaced
    }
    package var sequence: Int64
    package var draft: MeterEventDraft
    package var state: State
    package var plannedAt: Timestamp
    package var callCount: Int
    package var firstCallAt: Timestamp?
    /// The first call that Stripe may have taken without our knowing.
    package var unknownSince: Timestamp?
    package var dueAt: Timestamp
    /// What Stripe said last, bounded; or why it was not asked.
    package var answer: String?
    package var settledAt: Timestamp?
    package var resolution: MeterEventResolution?
    /// Identifier of the event that took its place.
    package var replacedBy: String?
    package init(
        sequence: Int64, draft: MeterEventDraft, state: State, plannedAt: Timestamp,
        callCount: Int = 0, firstCallAt: Timestamp? = nil,
        unknownSince: Timestamp? = nil, dueAt: Timestamp, answer: String? = nil,
        settledAt: Timestamp? = nil, resolution: MeterEventResolution? = nil,
        replacedBy: String? = nil
    ) {
        self.sequence = sequence
        self.draft = draft
        self.state = state
        self.plannedAt = plannedAt
        self.callCount = callCount
        self.firstCallAt = firstCallAt
        self.unknownSince = unknownSince
        self.dueAt = dueAt
        self.answer = answer
        self.settledAt = settledAt
        self.resolution = resolution
        self.replacedBy = replacedBy
    }
}

/// What became of a call.
package enum MeterEventOutcome: Sendable, Hashable {
    case sent(answer: String)
    case refused(answer: String)
    /// The call begun at `calledAt` was certainly not taken: the same again, later.
    case notTaken(answer: String, calledAt: Timestamp, retryAt: Timestamp)
    /// Taken or not: the same again, later, under the same identifier.
    case unknown(answer: String, retryAt: Timestamp)
    case uncertain(answer: String)
    case tooOld(answer: String)
}

package struct MeterEventResolution: Sendable, Hashable {
    package enum Verdict: String, Sendable, Hashable, CaseIterable { case sent, resend }
    /// What can be resolved.
    package static let states: Set<StoredMeterEvent.State> = [.uncertain, .refused, .tooOld]
    package var verdict: Verdict
    package var by: String
    package var reason: String
    package var at: Timestamp
    package init(verdict: Verdict, by: String, reason: String, at: Timestamp) {
        self.verdict = verdict
        self.by = by
        self.reason = reason
        self.at = at
    }
}

/// How far the sending for a customer and meter has come. Months are UTC's.
package struct MeterAccount: Sendable, Hashable {
    /// Usage of windows before it is not sent.
    package var from: Timestamp
    /// Begin of the first month that is still looked at.
    package var month: Timestamp
    /// Smallest units, less than one whole unit, that the months before left over.
    package var rest: Int64
    package init(from: Timestamp, month: Timestamp, rest: Int64) {
        self.from = from
        self.month = month
        self.rest = rest
    }
}

/// Whole units that were sent in a month and are not usage any more: Stripe takes no negative
/// events, so that people must credit them.
package struct MeterCredit: Sendable, Hashable {
    package var customer: CustomerID
    package var meter: MeterKey
    /// Its begin in UTC.
    package var month: Timestamp
    package var units: Int64
    package init(customer: CustomerID, meter: MeterKey, month: Timestamp, units: Int64) {
        self.customer = customer
        self.meter = meter
        self.month = month
        self.units = units
    }
}

package struct MeterEventHistory: Sendable, Hashable {
    package struct Window: Sendable, Hashable {
        package var start: Timestamp
        /// Of all revisions that count.
        package var units: Int64
        package var lastRevision: Int
        package init(start: Timestamp, units: Int64, lastRevision: Int) {
            self.start = start
            self.units = units
            self.lastRevision = lastRevision
        }
    }
    /// Nil: nothing was planned yet.
    package var account: MeterAccount?
    /// Ascending.
    package var windows: [Window]
    package var credits: [MeterCredit]
    /// Sequence of the pair's last event; 0 without any.
    package var base: Int64
    package init(
        account: MeterAccount?, windows: [Window], credits: [MeterCredit], base: Int64
    ) {
        self.account = account
        self.windows = windows
        self.credits = credits
        self.base = base
    }
}

/// Events to be sent for one customer and meter.
package struct MeterEventPlan: Sendable {
    package var customer: CustomerID
    package var meter: MeterKey
    package var account: MeterAccount
    package var drafts: [MeterEventDraft]
    /// Replace those of their months; one of 0 units takes it out.
    package var credits: [MeterCredit]
    package var base: Int64
    package var at: Timestamp
    package init(
        customer: CustomerID, meter: MeterKey, account: MeterAccount, drafts: [MeterEventDraft],
        credits: [MeterCredit], base: Int64, at: Timestamp
    ) {
        self.customer = customer
        self.meter = meter
        self.account = account
        self.drafts = drafts
        self.credits = credits
        self.base = base
        self.at = at
    }
}

package struct MeterEventSummary: Sendable, Hashable {
    package var counts: [StoredMeterEvent.State: Int64]
    /// Of those planned.
    package var waitingSince: Timestamp?
    package init(counts: [StoredMeterEvent.State: Int64], waitingSince: Timestamp?) {
        self.counts = counts
        self.waitingSince = waitingSince
    }
}

/// That statement lines were handed out, and which.
package struct StatementExportNote: Sendable, Hashable {
    package var format: String
    package var month: BillingMonth
    package var customer: CustomerID?
    /// `sha256:` and 64 hex digits, over all bytes that were handed out.
    package var digest: String
    package var lineCount: Int
    package var firstLine: String?
    package var lastLine: String?
    package var by: String
    package var at: Timestamp
    package init(
        format: String, month: BillingMonth, customer: CustomerID?, digest: String,
        lineCount: Int, firstLine: String?, lastLine: String?, by: String, at: Timestamp
    ) {
        self.format = format
        self.month = month
        self.customer = customer
        self.digest = digest
        self.lineCount = lineCount
        self.firstLine = firstLine
        self.lastLine = lastLine
        self.by = by
        self.at = at
    }
}
