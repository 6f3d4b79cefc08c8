import MeteringModel
import MeteringPorts

// Endpoints and their deliveries, as people see them.
extension EndpointDesk {
    func list(_ query: AlertQuery) throws(ControlProblem) -> ControlAnswer {
        let lines = try linesByEndpoint()
        var histories = try parts.records.records(.alertEndpoint, customer: nil)
            .sorted { $0.id < $1.id }
        if let cursor = query.cursor { histories.removeAll { $0.id <= cursor } }
        let page = histories.prefix(query.limit)
        var items: [JSONValue] = []
        for history in page { items.append(try shown(history, lines)) }
        return Self.page(items, next: histories.count > page.count ? page.last?.id : nil)
    }

    func view(_ id: String) throws(ControlProblem) -> ControlAnswer {
        let history = try history(id)
        return ControlAnswer(
            body: try shown(history, try linesByEndpoint()),
            entityTag: String(history.revision))
    }

    private func linesByEndpoint() throws(ControlProblem) -> [String: EndpointLine] {
        let lines = try asking { () throws(LedgerError) in try parts.store.lines() }
        return Dictionary(lines.map { ($0.endpoint, $0) }) { first, _ in first }
    }

    private func shown(
        _ history: RecordHistory, _ lines: [String: EndpointLine]
    ) throws(ControlProblem) -> JSONValue {
        let document = history.latest ?? .object([:])
        let line = lines[history.id]
        let state = try asking { () throws(LedgerError) in
            if let line { return line.state }
            return try parts.store.state(of: history.id)
        }
        let word =
            document["enabled"]?.flag == false
            ? "off"
            : state.disabledSince != nil
                ? "disabled" : state.failingSince != nil ? "failing" : "ok"
        let status = JSONValue.members([
            "state": .string(word),
            "waiting": .integer(line?.waitingCount ?? 0),
            "oldest_waiting_since": line.map { .string($0.oldestQueuedAt.rfc3339()) },
            "disabled_since": state.disabledSince.map { .string($0.rfc3339()) },
            "disabled_reason": state.disabledReason.map { .string($0) },
            "failing_since": state.failingSince.map { .string($0.rfc3339()) },
            "next_attempt_at": state.nextAttemptAt.map { .string($0.rfc3339()) },
        ])
        return Self.shown(document).merging(
            .object(["status": status, "revision": .integer(history.revision)]))
    }

    // MARK: deliveries

    func deliveries(
        _ id: String, _ state: AlertDelivery.State?, _ query: AlertQuery
    ) throws(ControlProblem) -> ControlAnswer {
        _ = try history(id)
        var before: Int64?
        if let cursor = query.cursor {
            guard let number = Int64(cursor), number > 0 else {
                throw .invalid(
                    "invalid_cursor", "cursor must be the \"next\" of a page before", "cursor")
            }
            before = number
        }
        let found = try asking { () throws(LedgerError) in
            try parts.store.deliveries(
                id, state: state, before: before, limit: query.limit + 1)
        }
        let page = found.prefix(query.limit)
        let next = found.count > page.count ? page.last.map { String($0.sequence) } : nil
        return Self.page(page.map(Self.row), next: next)
    }

    func delivery(
        _ id: String, _ message: String
    ) throws(ControlProblem) -> ControlAnswer {
        _ = try history(id)
        let (found, attempts) = try asking { () throws(LedgerError) in
            (
                try parts.store.delivery(id, message: message),
                try parts.store.attempts(id, message: message, limit: 200)
            )
        }
        guard let found else {
            throw ControlProblem(
                .notFound, "unknown_message",
                "the message \"\(message)\" was never in the line of \"\(id)\", or is forgotten")
        }
        let list = attempts.map { attempt in
            JSONValue.members([
                "id": .string(attempt.id), "at": .string(attempt.at.rfc3339()),
                "duration_ms": .integer(attempt.durationMilliseconds),
                "status": attempt.status.map { .integer($0) },
                "detail": .string(attempt.detail),
            ])
        }
        let body = (try? JSONParser.parse(Array(found.message.body.utf8))) ?? .null
        return ControlAnswer(
            body: Self.row(found).merging(
                .object(["attempts_log": .array(list), "body": body])))
    }

    private static func row(_ delivery: AlertDelivery) -> JSONValue {
        let message = delivery.message
        return .members([
            "message": .string(message.id), "type": .string(message.type),
            "customer": message.customer.map { .string($0.rawValue) },
            "feature": message.feature.map { .string($0.rawValue) },
            "at": .string(message.at.rfc3339()), "state": .string(delivery.state.rawValue),
            "digest": delivery.carrier.map { .string($0) },
            "attempts": .integer(delivery.attemptCount),
            "queued_at": .string(delivery.queuedAt.rfc3339()),
            "ended_at": delivery.endedAt.map { .string($0.rfc3339()) },
            "last_status": delivery.lastStatus.map { .integer($0) },
            "last_detail": delivery.lastDetail.map { .string($0) },
        ])
    }

    private static func page(_ items: [JSONValue], next: String?) -> ControlAnswer {
        ControlAnswer(body: .object(["items": .array(items), "next": .optional(next)]))
    }
}
