package import Entitlements
import Foundation
package import MeteringModel
package import MeteringPorts
import UsageAggregation

/// Takes single events out of usage, changes them, and puts them back.
///
/// Order of effects:
/// 1. the event is looked up (earlier corrections, else dedupe marks and the log), checked, and
///    interpreted as it would be now; nothing has changed yet;
/// 2. the correction is appended to the log, durable, under an identity of (event, number): of two
///    at once the log's first counts;
/// 3. the pipeline brings it into the ledger; rows that do not add up are made anew after it;
/// 4. the audit log gets its row. After a crash before this the correction stands in the log and the
///    ledger with actor and reason, and the same call again writes the row.
package final class EventCorrector: EventCorrecting {
    package struct Parts: Sendable {
        package var writer: any EventLogWriter
        package var replay: any LogReplay
        package var queries: any LedgerQueries
        package var catalog: CurrentCatalog
        package var records: any RecordKeeping
        /// Whether a customer belongs to the tree of another.
        package var isInTree: @Sendable (CustomerID, CustomerID) -> Bool
        /// Whose the subject was at an instant.
        package var owner: @Sendable (SubjectID, Timestamp) throws(ControlProblem) -> CustomerID?
        package var clock: WallClock
        package init(
            writer: any EventLogWriter, replay: any LogReplay, queries: any LedgerQueries,
            catalog: CurrentCatalog, records: any RecordKeeping,
            isInTree: @escaping @Sendable (CustomerID, CustomerID) -> Bool,
            owner: @escaping @Sendable (SubjectID, Timestamp) throws(ControlProblem) -> CustomerID?,
            clock: WallClock
        ) {
            self.writer = writer
            self.replay = replay
            self.queries = queries
            self.catalog = catalog
            self.records = records
            self.isInTree = isInTree
            self.owner = owner
            self.clock = clock
        }
    }

    let parts: Parts
    let settings: MeteringSettings

    /// Tries when other corrections of the same event come first.
    private static let attemptsMax = 3
    /// How often, and how many times, the ledger is looked at for a correction.
    private static let lookInterval = Duration.milliseconds(20)
    private static let looksMax = 500
    private static let pendingLookMax = 1_000

    package init(_ parts: Parts, settings: MeteringSettings) {
        self.parts = parts
        self.settings = settings
    }

    package func correct(
        _ order: CorrectionOrder, _ context: CommandContext, digest: String
    ) async throws(ControlProblem) -> ControlAnswer {
        let reason = try Self.check(order, context)
        for _ in 0..<Self.attemptsMax {
            let draft = try draft(order, context, reason: reason)
            if draft.isDone {
                try Self.requireApplied(draft.record)
                return try await note(draft.record, context, digest)
            }
            if context.isDryRun { return ControlAnswer(body: document(draft.record)) }
            try await append(draft.record)
            guard let counted = try await awaitLedger(draft.record.id) else {
                throw ControlProblem(
                    .unavailable, "not_counted_yet",
                    "the correction is in the log, and metering has not come to it yet: send it"
                        + " again to see what became of it")
            }
            if counted.added != draft.record.added || counted.action != order.action { continue }
            try Self.requireApplied(counted)
            return try await note(counted, context, digest)
        }
        throw ControlProblem(
            .conflict, "conflict",
            "others correct the same event at the same time: look at its corrections, and send"
                + " yours again if it is still wanted")
    }

    package func corrections(
        customer: CustomerID?, principal: Principal, cursor: String?, limit: Int
    ) throws(ControlProblem) -> ControlAnswer {
        guard let after = cursor.map({ Int64($0) }) ?? 0, after >= 0 else {
            throw ControlProblem(
                .invalid, "invalid_cursor", "the cursor is not one of ours", field: "cursor")
        }
        let customer = customer ?? principal.customer
        if let customer { try requireTree(customer, principal) }
        let page = try ledger { () throws(LedgerError) in
            try parts.queries.corrections(customer: customer, after: after, limit: limit)
        }
        let next = page.count == limit ? page.last.map { String($0.sequence) } : nil
        return ControlAnswer(
            body: .object([
                "items": .array(page.map { document($0.record) }), "next": .optional(next),
            ]))
    }

    // MARK: parts

    private static func check(
        _ order: CorrectionOrder, _ context: CommandContext
    ) throws(ControlProblem) -> String {
        for (name, text) in [("source", order.source), ("id", order.eventID)] where text.isEmpty {
            throw ControlProblem(
                .unprocessable, "missing", "name the event by its source and its id", field: name)
        }
        guard let reason = context.reason, !reason.allSatisfy(\.isWhitespace) else {
            throw ControlProblem(
                .unprocessable, "missing", "say why the event is corrected", field: "reason")
        }
        if reason.utf8.count > 2_000 {
            throw ControlProblem(
                .unprocessable, "reason_too_long", "the reason is longer than 2000 bytes",
                field: "reason")
        }
        return reason
    }

    private static func requireApplied(_ record: CorrectionRecord) throws(ControlProblem) {
        guard let refusal = record.refusal else { return }
        throw ControlProblem(.conflict, "not_correctable", refusal)
    }

    func requireTree(
        _ customer: CustomerID, _ principal: Principal
    ) throws(ControlProblem) {
        guard let root = principal.customer, customer != root, !parts.isInTree(customer, root)
        else { return }
        throw ControlProblem(
            .forbidden, "wrong_customer",
            "the key is bound to \(root), which \(customer) does not belong to")
    }

    private func append(_ record: CorrectionRecord) async throws(ControlProblem) {
        let snapshot = parts.catalog.load()
        let subject = (record.removed ?? record.added).flatMap(EventInterpreter.subject)
        let event = ControlEvent.encode(
            type: ControlEvent.correctionType, id: record.id,
            time: parts.clock.now().rfc3339(), fields: ControlEvent.fields(record),
            key: snapshot.hash)
        if event.count > settings.maximumEventBytes {
            throw ControlProblem(
                .unprocessable, "too_large",
                "the event with its correction is longer than \(settings.maximumEventBytes) bytes")
        }
        do throws(EventLogError) {
            // Behind the event, in its partition.
            _ = try await parts.writer.append([
                LogAppend(key: subject?.rawValue ?? record.customer.rawValue, value: event)
            ])
        } catch {
            throw ControlProblem(
                .unavailable, "unavailable",
                "the log does not take the correction now: \(error.message); send it again")
        }
    }

    /// Waits for the correction, and for the rows of max, min, latest and unique, which are made anew
    /// after it. Should that take longer, the correction stands all the same, and the rows follow.
    private func awaitLedger(
        _ id: String
    ) async throws(ControlProblem) -> CorrectionRecord? {
        var found: CorrectionRecord?
        for _ in 0..<Self.looksMax {
            if found == nil {
                found = try ledger { () throws(LedgerError) in try parts.queries.correction(id) }
            }
            if let found {
                let pending = try ledger { () throws(LedgerError) in
                    try parts.queries.pendingCorrections(limit: Self.pendingLookMax)
                }
                if !pending.contains(where: { $0.id == id }) { return found }
            }
            try? await Task.sleep(for: Self.lookInterval)
            if Task.isCancelled { break }
        }
        return found
    }

    private func note(
        _ record: CorrectionRecord, _ context: CommandContext, _ digest: String
    ) async throws(ControlProblem) -> ControlAnswer {
        let answer = ControlAnswer(body: document(record))
        if context.isDryRun { return answer }
        var context = context
        // The correction has its own identity; the record is only ever written once.
        context.ifMatch = nil
        context.effectiveAt = nil
        context.expectedCount = nil
        return try await parts.records.change(
            .correction, record.id, customer: record.customer, context, digest: digest
        ) { existing in (existing ?? answer.body, answer) }
    }

    func ledger<Found>(
        _ body: () throws(LedgerError) -> Found
    ) throws(ControlProblem) -> Found {
        do throws(LedgerError) {
            return try body()
        } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
    }
}
