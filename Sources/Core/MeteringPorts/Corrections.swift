package import MeteringModel

/// What an event says at one time, as it counts: for whom, when, and with what values.
package struct EventContent: Sendable, Hashable {
    package var customer: CustomerID
    /// The event's own time, or that of its append where it names none.
    package var at: Timestamp
    /// A structured CloudEvent.
    package var json: String
    package init(customer: CustomerID, at: Timestamp, json: String) {
        self.customer = customer
        self.at = at
        self.json = json
    }
}

/// One correction of one event that was counted: what counts no longer, and what counts instead.
package struct CorrectionRecord: Sendable, Hashable {
    package enum Action: String, Sendable, Hashable, CaseIterable { case void, amend, restore }

    /// Of (source, event id, number): the same wherever and whenever it is made.
    package var id: String
    /// 1 for the first correction of the event, 2 for the next one, and so on.
    package var number: Int64
    package var action: Action
    package var source: String
    package var eventID: String
    package var reason: String
    /// Who asked for it.
    package var actor: String
    /// Whom the event was counted for in the first place.
    package var customer: CustomerID
    /// Where the log has the event.
    package var event: LogPosition
    package var removed: EventContent?
    package var added: EventContent?
    /// Where the log has the correction, and when it took it.
    package var position: LogPosition
    package var recordedAt: Timestamp
    /// Why it was not applied; nil when it was.
    package var refusal: String?

    package init(
        number: Int64, action: Action, source: String, eventID: String, reason: String,
        actor: String, customer: CustomerID, event: LogPosition, removed: EventContent?,
        added: EventContent?, position: LogPosition, recordedAt: Timestamp,
        refusal: String? = nil
    ) {
        id = Self.id(source: source, eventID: eventID, number: number)
        self.number = number
        self.action = action
        self.source = source
        self.eventID = eventID
        self.reason = reason
        self.actor = actor
        self.customer = customer
        self.event = event
        self.removed = removed
        self.added = added
        self.position = position
        self.recordedAt = recordedAt
        self.refusal = refusal
    }

    /// 32 hexadecimal digits.
    package static func id(source: String, eventID: String, number: Int64) -> String {
        let text = "\(source.utf8.count):\(source)\(eventID.utf8.count):\(eventID)\(number)"
        return [KeyHash(k0: 0x636f_7272, k1: 1), KeyHash(k0: 0x6563_7469, k1: 2)].map { key in
            let digits = String(key.hash(text), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// As an adjustment names it.
    package var origin: Adjustment.Correction {
        Adjustment.Correction(
            id: id, action: action, source: source, eventID: eventID, reason: reason)
    }
}

/// A correction as it goes into the ledger, with what it does to rows that add up.
package struct LedgerCorrection: Sendable {
    /// A change of a rollup row. Where the row is not there, because its dimensions were too many
    /// when the event was counted, that of `otherDimensions` is meant.
    package struct Rollup: Sendable {
        package var delta: RollupDelta
        package var otherDimensions: String
        package init(delta: RollupDelta, otherDimensions: String) {
            self.delta = delta
            self.otherDimensions = otherDimensions
        }
    }
    package var record: CorrectionRecord
    /// Counts and values may be below zero, here and in `rollups`; a row's total may not be.
    package var usage: [UsageDelta]
    package var rollups: [Rollup]
    package var adjustments: [Adjustment]
    /// Rows that do not add up (max, min, latest, unique) are to be made anew from the log.
    package var needsRecount: Bool
    package init(
        record: CorrectionRecord, usage: [UsageDelta], rollups: [Rollup],
        adjustments: [Adjustment], needsRecount: Bool
    ) {
        self.record = record
        self.usage = usage
        self.rollups = rollups
        self.adjustments = adjustments
        self.needsRecount = needsRecount
    }
}

/// What the ledger knows of single events and their corrections.
package protocol CorrectionQueries: AnyObject, Sendable {
    /// Where the log has the counted event of this identity, as far as identities are kept; the
    /// latest when it was counted again after the dedupe window.
    func position(ofEvent fingerprint: UInt64) throws(LedgerError) -> LogPosition?
    /// Offsets within `range` of events that were counted; nil when they are not kept that long.
    func countedOffsets(
        partition: Int32, in range: Range<Int64>
    ) throws(LedgerError) -> Set<Int64>?
    /// By partition, an offset before which no record was appended at or after `instant`; partitions
    /// that are not named: 0.
    func firstOffsets(appendedSince instant: Timestamp) throws(LedgerError) -> [Int32: Int64]
    func correction(_ id: String) throws(LedgerError) -> CorrectionRecord?
    /// Of one event, by number; refused ones too.
    func corrections(
        ofEvent id: String, source: String
    ) throws(LedgerError) -> [CorrectionRecord]
    /// In the order of their recording.
    func corrections(
        customer: CustomerID?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [(sequence: Int64, record: CorrectionRecord)]
    /// Applied ones whose rows are still to be made anew, oldest first.
    func pendingCorrections(limit: Int) throws(LedgerError) -> [CorrectionRecord]
}

/// Takes single events out of usage, changes them, and puts them back.
package protocol EventCorrecting: AnyObject, Sendable {
    /// Returns when the correction is in the ledger. The same one again changes nothing and gets
    /// the same answer.
    func correct(
        _ order: CorrectionOrder, _ context: CommandContext, digest: String
    ) async throws(ControlProblem) -> ControlAnswer
    /// Corrections so far, oldest first; `customer` narrows.
    func corrections(
        customer: CustomerID?, principal: Principal, cursor: String?, limit: Int
    ) throws(ControlProblem) -> ControlAnswer
}

/// What shall become of an event.
package struct CorrectionOrder: Sendable, Hashable {
    package var action: CorrectionRecord.Action
    package var source: String
    package var eventID: String
    /// For amend, RFC 7396 upon the event's `data`.
    package var data: JSONValue?
    package var time: String?
    package var subject: String?
    package init(
        action: CorrectionRecord.Action, source: String, eventID: String, data: JSONValue? = nil,
        time: String? = nil, subject: String? = nil
    ) {
        self.action = action
        self.source = source
        self.eventID = eventID
        self.data = data
        self.time = time
        self.subject = subject
    }
}
