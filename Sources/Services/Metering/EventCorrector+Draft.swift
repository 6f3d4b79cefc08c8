import Entitlements
import EventDecoding
import MeteringModel
import MeteringPorts
import UsageAggregation

/// What a correction would be: the event as it stands, and what shall count in its place.
extension EventCorrector {
    struct Draft {
        var record: CorrectionRecord
        /// The event is corrected like that already; the record is the one that did it.
        var isDone = false
    }

    /// Set-aside events that are looked through for one that was not counted.
    private static let setAsideMax = 10_000

    func draft(
        _ order: CorrectionOrder, _ context: CommandContext, reason: String
    ) throws(ControlProblem) -> Draft {
        let history = try ledger { () throws(LedgerError) in
            try parts.queries.corrections(ofEvent: order.eventID, source: order.source)
        }
        let event = try original(order, history)
        try requireTree(event.content.customer, context.principal)
        let latest = history.last { $0.refusal == nil }
        let standing = latest.map(\.added) ?? event.content
        let added: EventContent?
        switch order.action {
        case .void: added = nil
        case .restore:
            if latest == nil {
                throw ControlProblem(
                    .conflict, "not_corrected",
                    "the event counts as it was sent: nothing to take back")
            }
            added = event.content
        case .amend: added = try amended(order, standing ?? event.content, event.position)
        }
        if let latest, latest.action == order.action, Self.isSame(latest.added, added) {
            return Draft(record: latest, isDone: true)
        }
        if Self.isSame(added, standing) {
            throw ControlProblem(
                .conflict, "nothing_changed", "the event counts like that already")
        }
        for content in [standing, added] { try requireCountable(content, context.principal) }
        return Draft(
            record: CorrectionRecord(
                number: (history.last?.number ?? 0) + 1, action: order.action,
                source: order.source, eventID: order.eventID, reason: reason,
                actor: context.principal.id, customer: event.content.customer,
                event: event.position, removed: standing, added: added,
                position: LogPosition(partition: 0, offset: 0), recordedAt: parts.clock.now()))
    }

    // MARK: the event

    private func original(
        _ order: CorrectionOrder, _ history: [CorrectionRecord]
    ) throws(ControlProblem) -> (content: EventContent, position: LogPosition) {
        if let first = history.first, let content = first.removed {
            return (content, first.event)
        }
        if order.source.hasPrefix(ControlEvent.sourcePrefix) {
            throw ControlProblem(
                .conflict, "not_correctable",
                "the event is a decision of the gate, which has been acted on: make up for what"
                    + " it charged with a grant instead", field: "source")
        }
        let event = try find(order)
        let subject = SubjectID(event.subject)
        guard let customer = try parts.owner(subject, event.appendedAt) else {
            throw ControlProblem(
                .conflict, "not_counted", "no customer had \(event.subject) when the event came")
        }
        return (EventContent(customer: customer, at: event.at, json: event.json), event.position)
    }

    private func find(_ order: CorrectionOrder) throws(ControlProblem) -> CountedEvent {
        let hash = parts.catalog.load().hash
        let fingerprint = EventInterpreter.fingerprint(
            source: hash.hash(order.source), id: hash.hash(order.eventID))
        let position = try ledger { () throws(LedgerError) in
            try parts.queries.position(ofEvent: fingerprint)
        }
        if let position {
            if let event = try read(position), Self.isSame(event.id, order.eventID),
                Self.isSame(event.source, order.source)
            {
                return event
            }
            throw ControlProblem(
                .notFound, "unknown_event", "the log has dropped the event: it cannot be corrected"
            )
        }
        if let reason = try setAsideReason(order) {
            throw ControlProblem(
                .conflict, "not_counted",
                "the event was set aside (\(reason)) and not counted: there is nothing to correct")
        }
        throw ControlProblem(
            .notFound, "unknown_event",
            "no event \(order.eventID) of \(order.source) was counted in the last"
                + " \(settings.dedupeWindowSeconds / 86_400) days (or no meter took it): check"
                + " source and id; events further back cannot be corrected")
    }

    private func read(_ position: LogPosition) throws(ControlProblem) -> CountedEvent? {
        var found: CountedEvent?
        let decoder = decoder()
        do throws(EventLogError) {
            try parts.replay.scan(from: [position.partition: position.offset]) {
                info, headers, value in
                if info.offset == position.offset {
                    found = CountedEvent(info, headers, value, decoder)
                }
                return false
            }
        } catch {
            if error.code == .offsetOutOfRange { return nil }
            throw ControlProblem(
                .unavailable, "unavailable", "the log cannot be read now: \(error.message)")
        }
        return found
    }

    private func setAsideReason(_ order: CorrectionOrder) throws(ControlProblem) -> String? {
        let decoder = decoder()
        var after: Int64 = 0
        var seen = 0
        while seen < Self.setAsideMax {
            let page = try ledger { () throws(LedgerError) in
                try parts.queries.setAside(kind: nil, after: after, limit: 1_000)
            }
            guard let last = page.last else { return nil }
            after = last.sequence
            seen += page.count
            for stored in page {
                let info = LogRecordInfo(
                    partition: stored.event.partition, offset: stored.event.offset,
                    appendedAt: stored.event.appendedAt, isNull: false)
                // SAFETY: both arrays are alive during the call.
                let event = unsafe CountedEvent(
                    info, stored.event.headers.span.bytes, stored.event.payload.span.bytes,
                    decoder)
                guard let event, Self.isSame(event.id, order.eventID),
                    Self.isSame(event.source, order.source)
                else { continue }
                return stored.event.reason
            }
        }
        return nil
    }

    private func decoder() -> EventDecoder {
        EventDecoder(plan: DecodePlan(paths: []), maximumBytes: settings.maximumEventBytes)
    }

    /// The same event may be written in several ways.
    private static func isSame(_ left: EventContent?, _ right: EventContent?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        if left == right { return true }
        guard left.customer == right.customer, left.at == right.at,
            let first = try? JSONParser.parse(left.json)
        else { return false }
        return first == (try? JSONParser.parse(right.json))
    }

    /// Identities are bytes.
    private static func isSame(_ left: String, _ right: String) -> Bool {
        left.utf8.elementsEqual(right.utf8)
    }

    // MARK: what it becomes

    private func amended(
        _ order: CorrectionOrder, _ base: EventContent, _ position: LogPosition
    ) throws(ControlProblem) -> EventContent {
        guard case .object(var members)? = try? JSONParser.parse(base.json) else {
            throw ControlProblem(
                .conflict, "not_correctable",
                "the event repeats members, or nests too deep, to be changed: void it, and send"
                    + " another one")
        }
        if order.data == nil, order.time == nil, order.subject == nil {
            throw ControlProblem(
                .unprocessable, "missing", "say what changes: data, time or subject",
                field: "data")
        }
        var content = base
        if let data = order.data {
            guard data.object != nil else {
                throw ControlProblem(
                    .unprocessable, "invalid_value", "data must be an object", field: "data")
            }
            members["data"] = (members["data"] ?? .object([:])).merging(data)
        }
        if let time = order.time {
            content.at = try self.time(
                time, position, isBackfill: members["tollgatebackfill"] != nil)
            members["time"] = .string(time)
        }
        if let subject = order.subject {
            let snapshot = parts.catalog.load()
            guard let number = snapshot.customerIndex(ofSubject: SubjectID(subject)) else {
                throw ControlProblem(
                    .unprocessable, "unknown_subject", "no customer has \(subject)",
                    field: "subject")
            }
            content.customer = snapshot.customer(number).id
            members["subject"] = .string(subject)
        }
        content.json = JSONValue.object(members).canonicalText
        return content
    }

    /// The bounds are those that held when the event came.
    private func time(
        _ text: String, _ position: LogPosition, isBackfill: Bool
    ) throws(ControlProblem) -> Timestamp {
        guard let time = Timestamp(rfc3339: text) else {
            throw ControlProblem(
                .unprocessable, "invalid_time", "time is not an RFC 3339 timestamp", field: "time")
        }
        guard let event = try read(position) else {
            throw ControlProblem(
                .notFound, "unknown_event",
                "the log has dropped the event: its time cannot be changed any more")
        }
        let ahead = time.microseconds(since: event.appendedAt)
        if ahead > settings.maximumAheadSeconds * 1_000_000 {
            throw ControlProblem(
                .unprocessable, "time_in_future",
                "time is later than the event came (\(event.appendedAt.rfc3339()))", field: "time")
        }
        if -ahead > settings.maximumAgeSeconds * 1_000_000, !isBackfill {
            throw ControlProblem(
                .unprocessable, "time_too_old",
                "time is more than \(settings.maximumAgeSeconds / 86_400) days before the event"
                    + " came", field: "time")
        }
        return time
    }

    private func requireCountable(
        _ content: EventContent?, _ principal: Principal
    ) throws(ControlProblem) {
        guard let content else { return }
        try requireTree(content.customer, principal)
        let snapshot = parts.catalog.load()
        guard let customer = snapshot.liveCustomer(content.customer) else {
            throw ControlProblem(
                .conflict, "not_correctable",
                "the event counts for \(content.customer), which has been removed")
        }
        switch shares(of: content, snapshot) {
        case .failure(let problem):
            throw ControlProblem(
                .unprocessable, problem.code, "the event cannot be counted: \(problem.detail)",
                field: "data")
        case .success(let shares):
            let now = EventInterpreter.subject(of: content)
                .flatMap { snapshot.customerIndex(ofSubject: $0) }
            if now != customer, shares.contains(where: { !$0.meter.aggregation.isReversible }) {
                throw ControlProblem(
                    .conflict, "not_correctable",
                    "its subject belongs to another customer now, and meters of it (max, min,"
                        + " latest or unique) could only be made anew for that one")
            }
        }
    }
}
